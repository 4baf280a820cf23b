"""The stepper: an endpoint or a session to walk through, without input or output."""

from fsm.stepper.endpoint_system import EndpointSystem
from fsm.stepper.search import Found
from fsm.stepper.session_system import SessionSystem
from fsm.stepper.system import Node, System
from fsm.stepper.systems import system_named
from fsm.stepper.walk import Ran, Walk

__all__ = ["EndpointSystem", "Found", "Node", "Ran", "SessionSystem", "System", "Walk", "system_named"]
