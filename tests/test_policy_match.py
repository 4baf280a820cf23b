"""Conditions: every match type and value type against every kind of value, by hand."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest

from fsm.policy.datagram import OTHER
from fsm.policy.match import (
    EMPTY,
    NOT_THERE,
    UNKNOWN,
    Bits,
    FieldValue,
    Program,
    assumed_volume,
    evaluate,
    groups_of,
    match_groups,
    matches,
)
from fsm.policy.model import ACTIONS, MATCH_TYPES, Condition, Filter, Value
from fsm.policy.security import Token, grants

PORT = "FWPM_CONDITION_IP_REMOTE_PORT"
ADDRESS = "FWPM_CONDITION_IP_REMOTE_ADDRESS"
PROTOCOL = "FWPM_CONDITION_IP_PROTOCOL"
FLAGS = "FWPM_CONDITION_FLAGS"
APP = "FWPM_CONDITION_ALE_APP_ID"
USER = "FWPM_CONDITION_ALE_USER_ID"
PACKAGE = "FWPM_CONDITION_ALE_PACKAGE_ID"
V4 = int(IPv4Address("192.0.2.77"))
V6 = int(IPv6Address("2001:db8::77"))


def u16(number: int) -> Value:
    return Value("UINT16", number)


def net4(text: str, mask: str) -> Value:
    return Value("V4_ADDR_MASK", (int(IPv4Address(text)), int(IPv4Address(mask))))


def net6(text: str, length: int) -> Value:
    return Value("V6_ADDR_MASK", (int(IPv6Address(text)), length))


def app(path: str) -> Value:
    return Value("BYTE_BLOB", (path + "\0").encode("utf-16-le"))


NT = "\\device\\harddiskvolume3\\windows\\system32\\svchost.exe"
DRIVE = "C:\\Windows\\System32\\svchost.exe"
SERVICE = "O:SYG:SYD:(A;;CCRC;;;S-1-5-80-1)"
KNOWN = Token(frozenset({"S-1-5-80-1"}), "")

# field, match, wanted, what the field has, answer
CASES: list[tuple[str, str, Value, FieldValue, bool | None]] = [
    # integers, whatever their width
    (PORT, "EQUAL", u16(53), 53, True),
    (PORT, "EQUAL", u16(53), 54, False),
    (PORT, "EQUAL", Value("UINT32", 53), 53, True),
    (PORT, "NOT_EQUAL", u16(53), 53, False),
    (PORT, "NOT_EQUAL", u16(53), 54, True),
    (PORT, "GREATER", u16(53), 53, False),
    (PORT, "GREATER", u16(53), 54, True),
    (PORT, "LESS", u16(53), 52, True),
    (PORT, "LESS", u16(53), 53, False),
    (PORT, "GREATER_OR_EQUAL", u16(53), 53, True),
    (PORT, "GREATER_OR_EQUAL", u16(53), 52, False),
    (PORT, "LESS_OR_EQUAL", u16(53), 53, True),
    (PORT, "LESS_OR_EQUAL", u16(53), 54, False),
    (PORT, "LESS", Value("INT32", -1), -2, True),
    (PORT, "RANGE", Value("RANGE", (u16(50), u16(53))), 50, True),
    (PORT, "RANGE", Value("RANGE", (u16(50), u16(53))), 53, True),
    (PORT, "RANGE", Value("RANGE", (u16(50), u16(53))), 54, False),
    (PORT, "RANGE", Value("RANGE", (u16(53), u16(50))), 51, False),
    # addresses
    (ADDRESS, "EQUAL", Value("UINT32", V4), V4, True),
    (ADDRESS, "EQUAL", net4("192.0.2.0", "255.255.255.0"), V4, True),
    (ADDRESS, "EQUAL", net4("192.0.3.0", "255.255.255.0"), V4, False),
    (ADDRESS, "EQUAL", net4("0.0.0.0", "0.0.0.0"), V4, True),
    (ADDRESS, "EQUAL", net4("0.0.0.77", "0.0.0.255"), V4, True),  # a mask with holes
    (ADDRESS, "NOT_EQUAL", net4("192.0.2.0", "255.255.255.0"), V4, False),
    (ADDRESS, "EQUAL", Value("BYTE_ARRAY16", V6), V6, True),
    (ADDRESS, "EQUAL", net6("2001:db8::", 32), V6, True),
    (ADDRESS, "EQUAL", net6("2001:db9::", 32), V6, False),
    (ADDRESS, "EQUAL", net6("::", 0), V6, True),
    (ADDRESS, "EQUAL", net6("2001:db8::77", 128), V6, True),
    (ADDRESS, "EQUAL", net6("2001:db8::76", 128), V6, False),
    (ADDRESS, "EQUAL", net4("192.0.2.0", "255.255.255.0"), V6, None),  # a V4 mask at a V6 layer
    (ADDRESS, "NOT_EQUAL", net4("192.0.2.0", "255.255.255.0"), V6, None),
    (ADDRESS, "EQUAL", net4("255.0.0.0", "255.0.0.0"), 0xFFFFFFFF, True),  # the last address of IPv4
    (ADDRESS, "EQUAL", net4("0.0.0.0", "0.0.0.1"), 1 << 32, None),
    (ADDRESS, "EQUAL", Value("V4_ADDR_MASK", (V4, "?")), V4, None),  # type: ignore[arg-type]
    (ADDRESS, "EQUAL", Value("V6_ADDR_MASK", ("?", 3)), V6, None),  # type: ignore[arg-type]
    (ADDRESS, "RANGE", Value("RANGE", (Value("UINT32", V4 - 7), Value("UINT32", V4))), V4, True),
    # flags
    (FLAGS, "GREATER", Value("UINT32", 1), Bits(2), True),
    (FLAGS, "GREATER", Value("UINT32", 1), Bits(2, 0b11), None),
    (FLAGS, "FLAGS_ALL_SET", Value("UINT32", 0b11), Bits(0b11), True),
    (FLAGS, "FLAGS_ALL_SET", Value("UINT32", 0b11), Bits(0b01), False),
    (FLAGS, "FLAGS_ANY_SET", Value("UINT32", 0b11), Bits(0b01), True),
    (FLAGS, "FLAGS_ANY_SET", Value("UINT32", 0b11), Bits(0b100), False),
    (FLAGS, "FLAGS_NONE_SET", Value("UINT32", 0b11), Bits(0b100), True),
    (FLAGS, "FLAGS_NONE_SET", Value("UINT32", 0b11), Bits(0b010), False),
    (FLAGS, "FLAGS_ALL_SET", Value("UINT32", 0), Bits(0), True),
    (FLAGS, "FLAGS_ANY_SET", Value("UINT32", 0), Bits(0b1), False),
    (FLAGS, "FLAGS_NONE_SET", Value("UINT32", 0), Bits(0b1), True),
    (FLAGS, "FLAGS_ALL_SET", Value("UINT32", 0b1), 0b1, True),
    (FLAGS, "EQUAL", Value("UINT32", 0b1), Bits(0b1), True),
    (FLAGS, "EQUAL", Value("UINT32", 0b1), Bits(0b11), False),
    # flags of which one is not known
    (FLAGS, "FLAGS_ALL_SET", Value("UINT32", 0b11), Bits(0b01, ~0b10 & 0xFFFFFFFF), None),
    (FLAGS, "FLAGS_ALL_SET", Value("UINT32", 0b11), Bits(0b00, ~0b10 & 0xFFFFFFFF), False),
    (FLAGS, "FLAGS_ANY_SET", Value("UINT32", 0b11), Bits(0b01, ~0b10 & 0xFFFFFFFF), True),
    (FLAGS, "FLAGS_ANY_SET", Value("UINT32", 0b11), Bits(0b00, ~0b10 & 0xFFFFFFFF), None),
    (FLAGS, "FLAGS_NONE_SET", Value("UINT32", 0b11), Bits(0b00, ~0b10 & 0xFFFFFFFF), None),
    (FLAGS, "FLAGS_NONE_SET", Value("UINT32", 0b11), Bits(0b01, ~0b10 & 0xFFFFFFFF), False),
    (FLAGS, "FLAGS_NONE_SET", Value("UINT32", 0b01), Bits(0b00, ~0b10 & 0xFFFFFFFF), True),
    (FLAGS, "EQUAL", Value("UINT32", 0b1), Bits(0b01, ~0b10 & 0xFFFFFFFF), None),
    (FLAGS, "EQUAL", Value("UINT32", 0b100), Bits(0b01, ~0b10 & 0xFFFFFFFF), False),
    # programs: a whole NT path, a path without its volume, a file name; letters of either case
    (APP, "EQUAL", app(NT), Program(NT), True),
    (APP, "EQUAL", app(NT.upper()), Program(NT), True),
    (APP, "EQUAL", app(NT), Program("\\device\\harddiskvolume4\\windows\\system32\\svchost.exe"), False),
    (APP, "EQUAL", app(NT), Program("c:\\windows\\system32\\svchost.exe"), True),
    (APP, "EQUAL", app(NT), Program("c:\\windows\\svchost.exe"), False),
    (APP, "EQUAL", app("system"), Program("system"), True),
    (APP, "EQUAL", app("system"), Program("c:\\windows\\system"), False),
    # a policy file may name a program with its drive; a drive against a volume compares on the rest
    (APP, "EQUAL", app(DRIVE), Program("c:\\windows\\system32\\svchost.exe"), True),
    (APP, "EQUAL", app(DRIVE), Program("d:\\windows\\system32\\svchost.exe"), False),
    (APP, "EQUAL", app(DRIVE), Program(NT), True),
    (APP, "NOT_EQUAL", app(DRIVE), Program(NT), False),
    (APP, "EQUAL", app(DRIVE), Program("\\device\\harddiskvolume3\\svchost.exe"), False),
    (APP, "EQUAL", app(DRIVE), Program("svchost.exe"), True),
    (APP, "EQUAL", app(NT), Program("c:/windows/system32/svchost.exe"), True),
    (APP, "EQUAL", app(NT), Program("\\\\?\\c:\\windows\\system32\\svchost.exe"), True),
    (APP, "EQUAL", app(NT), Program("\\??\\c:\\windows\\system32\\svchost.exe"), True),
    (APP, "EQUAL", app(NT), Program("\\\\server\\windows\\system32\\svchost.exe"), False),
    (APP, "EQUAL", app(NT), Program("svchost.exe"), True),
    (APP, "EQUAL", app(NT), Program("host.exe"), False),
    (APP, "NOT_EQUAL", app(NT), Program("other.exe"), True),
    (APP, "EQUAL", app("c:\\x\\y.exe"), Program("\\other\\volume1\\x\\y.exe"), False),  # this is no device
    (APP, "EQUAL", app(DRIVE), Program("\\device\\afd"), False),
    (APP, "EQUAL", app(DRIVE), Program("windows\\system32\\svchost.exe"), False),  # a path without a volume
    (APP, "EQUAL", app("C:\\TOOLX"), Program("c:\\toolx"), True),
    (APP, "EQUAL", Value("UNICODE_STRING", "TOOL.exe"), Program("tool.exe"), True),
    (
        APP,
        "EQUAL",
        Value("BYTE_BLOB", "tool.exe".encode("utf-16-le") + b"x"),
        Program("tool.exe"),
        False,
    ),  # half a letter
    (APP, "EQUAL", u16(53), Program("tool.exe"), None),
    # PREFIX compares the end
    (APP, "PREFIX", u16(53), Program("tool.exe"), None),
    (APP, "PREFIX", app(NT), Program("\\system32\\svchost.exe"), False),
    (APP, "PREFIX", app(NT), Program("c:\\windows\\system32\\svchost.exe"), None),
    (APP, "PREFIX", app("\\windows\\system32\\svchost.exe"), Program("c:\\windows\\system32\\svchost.exe"), True),
    (APP, "PREFIX", app("svchost.exe"), Program("svchost.exe"), True),
    (APP, "PREFIX", app("\\windows\\"), OTHER, False),
    (APP, "NOT_PREFIX", app("\\windows\\"), OTHER, True),
    (APP, "EQUAL_CASE_INSENSITIVE", Value("UNICODE_STRING", "Name"), OTHER, False),
    (APP, "PREFIX", app("\\system32\\svchost.exe"), Program(NT), True),
    (APP, "PREFIX", app("\\device\\harddiskvolume3\\windows\\"), Program(NT), False),
    (APP, "NOT_PREFIX", app("\\device\\harddiskvolume3\\"), Program(NT), True),
    (APP, "NOT_PREFIX", app("svchost.exe"), Program(NT), False),
    (APP, "PREFIX", app("host.exe"), Program("svchost.exe"), True),
    (APP, "PREFIX", app("\\system32\\svchost.exe"), Program("svchost.exe"), None),
    (APP, "PREFIX", app("\\system32\\svchost.exe"), Program("c:\\windows\\system32\\svchost.exe"), True),
    (APP, "PREFIX", app("\\device\\harddiskvolume3\\"), Program("svchost.exe"), False),
    # whether a blob without its end mark fits, nobody says
    (APP, "PREFIX", Value("BYTE_BLOB", "host.exe".encode("utf-16-le")), Program(NT), None),
    (APP, "PREFIX", Value("BYTE_BLOB", "host.ex".encode("utf-16-le")), Program(NT), False),
    (APP, "EQUAL", app(NT), "other", False),
    (APP, "NOT_EQUAL", app(NT), "other", True),
    (APP, "GREATER", app(NT), "other", None),
    # blobs and texts
    (APP, "EQUAL", Value("BYTE_BLOB", b"\x01\x02"), b"\x01\x02", True),
    (APP, "EQUAL", Value("BYTE_BLOB", b"\x01\x02"), b"\x01\x03", False),
    (APP, "PREFIX", Value("BYTE_BLOB", b"\x02"), b"\x01\x02", True),
    # ends without their marks: whether they fit, nobody says
    (APP, "PREFIX", Value("BYTE_BLOB", b"abc\0"), b"xabc\0\0", None),
    (APP, "PREFIX", Value("BYTE_BLOB", b"abc"), b"xabcX\0", False),
    (APP, "PREFIX", Value("BYTE_BLOB", b"abcX"), b"xabc\0", False),
    (APP, "PREFIX", Value("BYTE_BLOB", b"bc"), b"xab\0", False),
    (APP, "PREFIX", Value("BYTE_BLOB", b"a"), "a", None),
    (APP, "PREFIX", Value("UNICODE_STRING", "a"), b"a", None),
    (APP, "EQUAL", Value("BYTE_BLOB", b"a"), "a", None),
    (APP, "GREATER", Value("BYTE_BLOB", b"\x01"), b"\x02", True),
    (APP, "GREATER", Value("BYTE_BLOB", b"\x01"), "a", None),
    (APP, "EQUAL", Value("UNICODE_STRING", "Name"), "name", False),
    (APP, "EQUAL_CASE_INSENSITIVE", Value("UNICODE_STRING", "Name"), "nAME", True),
    (APP, "EQUAL_CASE_INSENSITIVE", Value("UNICODE_STRING", "Name"), "other one", False),
    (APP, "PREFIX", Value("UNICODE_STRING", "me"), "Name", True),
    (APP, "NOT_PREFIX", Value("UNICODE_STRING", "me"), "Name", False),
    # SIDs; no store app is S-1-0-0
    (PACKAGE, "EQUAL", Value("SID", "S-1-15-2-7"), "s-1-15-2-7", True),
    (PACKAGE, "EQUAL", Value("SID", "S-1-0-0"), "", True),
    (PACKAGE, "NOT_EQUAL", Value("SID", "S-1-0-0"), "S-1-0-0", False),
    (PACKAGE, "NOT_EQUAL", Value("SID", "S-1-0-0"), "S-1-15-2-7", True),
    # security descriptors
    (USER, "EQUAL", Value("SECURITY_DESCRIPTOR", SERVICE), KNOWN, True),
    (USER, "EQUAL", Value("SECURITY_DESCRIPTOR", SERVICE), Token(frozenset({"S-1-5-80-2"}), ""), False),
    (USER, "EQUAL", Value("SECURITY_DESCRIPTOR", SERVICE), Token(None, ""), None),
    (USER, "EQUAL", Value("SECURITY_DESCRIPTOR", "not SDDL"), KNOWN, None),
    (USER, "EQUAL", Value("TOKEN_INFORMATION", "?"), KNOWN, None),
    (USER, "EQUAL", Value("SID", SERVICE), KNOWN, None),
    (USER, "EQUAL", Value("SECURITY_DESCRIPTOR", b"?"), KNOWN, None),
    # what is empty, not known or not there
    (PORT, "EQUAL", u16(53), EMPTY, True),
    (PORT, "EQUAL", Value("EMPTY", None), EMPTY, True),
    (PORT, "EQUAL", Value("EMPTY", None), 53, False),
    (PORT, "NOT_EQUAL", u16(53), EMPTY, None),
    (PORT, "RANGE", Value("RANGE", (u16(50), u16(53))), EMPTY, None),
    (FLAGS, "FLAGS_NONE_SET", Value("UINT32", 1), EMPTY, None),
    (PORT, "EQUAL", u16(53), UNKNOWN, None),
    (PORT, "NOT_EQUAL", u16(53), UNKNOWN, None),
    (PORT, "EQUAL", u16(53), NOT_THERE, None),
    # types that do not go together, match types that nobody knows
    (PORT, "EQUAL", Value("BITMAP_ARRAY64", "?"), 53, None),
    (PORT, "RANGE", u16(53), 53, None),
    (PORT, "RANGE", Value("RANGE", (u16(50), 60)), 53, None),  # type: ignore[arg-type]
    (PORT, "RANGE", Value("RANGE", (u16(60), Value("UNICODE_STRING", "a"))), 53, None),
    (PORT, "GREATER", Value("UNICODE_STRING", "a"), 53, None),
    (PORT, "EQUAL_CASE_INSENSITIVE", Value("UNICODE_STRING", "a"), 53, None),
    (PORT, "FLAGS_ALL_SET", Value("UNICODE_STRING", "a"), 1, None),
    (PORT, "EQUAL_CASE_INSENSITIVE", u16(53), 53, None),
    (PORT, "TYPE_NOT_KNOWN", u16(53), 53, None),
]


@pytest.mark.parametrize(("field", "match", "wanted", "value", "answer"), CASES)
def test_a_condition_has_the_answer_that_was_worked_out_by_hand(
    field: str, match: str, wanted: Value, value: FieldValue, answer: bool | None
) -> None:
    assert evaluate(Condition(field, match, wanted), value) is answer


def test_the_table_has_every_match_type_with_both_answers() -> None:
    for match in MATCH_TYPES:
        assert {answer for _, name, _, _, answer in CASES if name == match} >= {True, False}, match


def _filter(*conditions: Condition) -> Filter:
    return Filter("{f}", "f", "FWPM_LAYER_ALE_AUTH_CONNECT_V4", "", next(iter(ACTIONS)), conditions)


def test_different_fields_must_all_hold() -> None:
    both = _filter(Condition(PORT, "EQUAL", u16(53)), Condition(PROTOCOL, "EQUAL", Value("UINT8", 17)))
    assert matches(both, {PORT: 53, PROTOCOL: 17}).answer is True
    assert matches(both, {PORT: 54, PROTOCOL: 17}).answer is False
    assert matches(both, {PORT: 53, PROTOCOL: 6}).answer is False


def test_conditions_on_one_field_that_follow_each_other_are_alternatives_since_windows_7() -> None:
    either = _filter(Condition(PORT, "EQUAL", u16(53)), Condition(PORT, "EQUAL", u16(67)))
    assert matches(either, {PORT: 67}).answer is True
    assert matches(either, {PORT: 68}).answer is False
    assert matches(either, {PORT: 67}, "vista-sp1").answer is False
    assert matches(either, {PORT: 67}, "7").answer is True


def test_conditions_on_one_field_that_others_part_must_both_hold() -> None:
    port, protocol = Condition(PORT, "GREATER", u16(50)), Condition(PROTOCOL, "EQUAL", Value("UINT8", 17))
    parted = _filter(port, protocol, Condition(PORT, "LESS", u16(60)))
    assert matches(parted, {PORT: 55, PROTOCOL: 17}).answer is True
    assert matches(parted, {PORT: 61, PROTOCOL: 17}).answer is False


def test_two_names_of_one_field_are_one_field() -> None:
    names = ("FWPM_CONDITION_IP_LOCAL_PORT", "FWPM_CONDITION_ICMP_TYPE")
    either = _filter(*(Condition(name, "EQUAL", u16(3 + at)) for at, name in enumerate(names)))
    assert matches(either, {"FWPM_CONDITION_IP_LOCAL_PORT": 4}).answer is True


def test_of_alternatives_those_are_open_that_nobody_can_decide() -> None:
    wide, other = (
        Condition(ADDRESS, "EQUAL", Value("UNICODE_STRING", "?")),
        Condition(ADDRESS, "EQUAL", net4("9.0.0.0", "255.0.0.0")),
    )
    left = match_groups(groups_of(_filter(other, wide)), {ADDRESS: V4})
    assert left.answer is None and [test.condition for test in left.open] == [wide]
    absent = matches(_filter(other), {PORT: 53})
    assert absent.answer is None and [test.value for test in absent.open] == [NOT_THERE]


def test_windows_11_is_meant_where_no_version_is_given() -> None:
    either = _filter(Condition(PORT, "EQUAL", u16(53)), Condition(PORT, "EQUAL", u16(67)))
    assert groups_of(either) == groups_of(either, "11") != groups_of(either, "vista-sp1")


@pytest.mark.parametrize(
    ("wanted", "given", "assumed"),
    [
        (DRIVE, NT, ("c:", "harddiskvolume3")),
        (NT, DRIVE, ("c:", "harddiskvolume3")),
        (NT, NT, None),
        (DRIVE, DRIVE, None),
        (DRIVE, "windows\\system32\\svchost.exe", None),
        ("windows\\system32\\svchost.exe", NT, None),
        (DRIVE, "\\device\\harddiskvolume3\\svchost.exe", None),
    ],
)
def test_which_drive_is_which_volume_is_assumed_where_the_rest_is_the_same(
    wanted: str, given: str, assumed: tuple[str, str] | None
) -> None:
    assert assumed_volume(wanted, given) == assumed


def test_a_filter_without_conditions_matches() -> None:
    assert matches(_filter(), {}).answer is True


def test_what_fails_decides_over_what_is_open_and_names_itself() -> None:
    both = _filter(Condition(APP, "EQUAL", app(NT)), Condition(PORT, "EQUAL", u16(53)))
    failed = matches(both, {APP: UNKNOWN, PORT: 54})
    assert failed.answer is False and [(t.condition.field, t.value) for t in failed.failed] == [(PORT, 54)]
    left = matches(both, {APP: UNKNOWN, PORT: 53})
    assert left.answer is None and [(t.condition.field, t.value) for t in left.open] == [(APP, UNKNOWN)]


def test_an_alternative_that_holds_closes_the_question_of_the_others() -> None:
    either = _filter(
        Condition(USER, "EQUAL", Value("SECURITY_DESCRIPTOR", SERVICE)),
        Condition(USER, "EQUAL", Value("SECURITY_DESCRIPTOR", "D:(A;;CC;;;WD)")),
    )
    assert matches(either, {USER: Token(None, "")}).answer is True


EVERYBODY = "O:LSD:(A;;CC;;;AC)(A;;CC;;;S-1-15-3-1)(A;;CC;;;WD)(A;;CC;;;AN)"
DESCRIPTORS: list[tuple[str, Token, bool | None]] = [
    (EVERYBODY, Token(None, None), True),  # a store app or not: the same
    (EVERYBODY, Token(frozenset(), "S-1-15-2-7"), True),
    ("D:(A;;CC;;;S-1-15-2-7)(A;;CC;;;WD)", Token(frozenset(), "S-1-15-2-7"), True),
    ("D:(A;;CC;;;S-1-15-2-8)(A;;CC;;;WD)", Token(frozenset(), "S-1-15-2-7"), False),
    ("D:(A;;CC;;;S-1-15-3-1)(A;;CC;;;WD)", Token(frozenset(), "S-1-15-2-7"), None),  # a capability
    ("D:(A;;CC;;;AC)", Token(frozenset(), ""), False),  # the grant to its user is missing
    ("D:(D;;CC;;;S-1-5-80-1)(A;;CC;;;WD)", KNOWN, False),
    ("D:(A;;CC;;;WD)(D;;CC;;;S-1-5-80-1)", KNOWN, True),  # in order
    ("D:(D;;CC;;;S-1-5-80-1)(A;;CC;;;WD)", Token(None, ""), None),
    ("D:(A;;RC;;;WD)", KNOWN, False),  # not the right to match
    ("D:(A;;0x1;;;WD)", KNOWN, True),
    ("D:(A;;GA;;;AU)", KNOWN, True),
    ("D:(A;;CC;;;AU)", Token(frozenset({"S-1-5-7"}), ""), False),
    ("D:(XA;;CC;;;WD;(@User.a))", KNOWN, None),  # a conditional entry
    ("D:(A;NP;CC;;;S-1-5-80-1)S:NO_ACCESS_CONTROL", KNOWN, True),
]


@pytest.mark.parametrize(("sddl", "token", "answer"), DESCRIPTORS)
def test_a_security_descriptor_grants_what_its_entries_say_in_order(
    sddl: str, token: Token, answer: bool | None
) -> None:
    assert grants(sddl, token) is answer
