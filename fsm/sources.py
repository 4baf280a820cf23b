"""The documents and observations that rows cite, by the short keys that the rows use."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Source:
    """One cited document, driver or recording. `url` is empty where the statement is a conclusion of this project."""

    key: str
    kind: str  # microsoft | header | observation | inference
    title: str
    url: str


_FWP = "https://learn.microsoft.com/en-us/windows/win32/fwp/"
_NET = "https://learn.microsoft.com/en-us/windows-hardware/drivers/network/"
_DDI = "https://learn.microsoft.com/en-us/windows-hardware/drivers/ddi/fwpsk/"
_SDK = "https://learn.microsoft.com/en-us/windows/win32/api/"
_AUDIT = (
    "https://learn.microsoft.com/en-us/previous-versions/windows/it-pro/windows-10/security/threat-protection/auditing/"
)
_FIREWALL = (
    "https://learn.microsoft.com/en-us/windows/security/operating-system-security/network-security/windows-firewall/"
)


def _microsoft(base: str, pages: dict[str, tuple[str, str]]) -> list[Source]:
    return [Source(key, "microsoft", title, base + page) for key, (page, title) in pages.items()]


_ALL: list[Source] = [
    *_microsoft(
        _FWP,
        {
            "UDPF": ("udp-packet-flows", "UDP Packet Flows (the base page)"),
            "TCPF": ("tcp-packet-flows", "TCP Packet Flows"),
            "ALE": ("application-layer-enforcement--ale-", "Application Layer Enforcement (ALE)"),
            "ALEL": ("ale-layers", "ALE Layers"),
            "ALES": ("ale-stateful-filtering", "ALE Stateful Filtering"),
            "ALER": ("ale-re-authorization", "ALE Reauthorization"),
            "ALEM": ("ale-multicast-broadcast-traffic", "ALE Multicast/Broadcast Traffic"),
            "ALEC": ("ale-flow-customization", "ALE Flow Customization"),
            "ARB": ("filter-arbitration", "Filter Arbitration"),
            "WGT": ("filter-weight-assignment", "Filter Weight Assignment"),
            "AUD": ("auditing-and-logging", "Auditing and Logging"),
            "LOG": ("logging", "Logging"),
            "PPS": ("preventing-port-scanning", "Preventing Port Scanning"),
            "UCO": ("using-classify-options", "Using Classify Options"),
            "LID": ("management-filtering-layer-identifiers-", "Management Filtering Layer Identifiers"),
            "CFL": ("filtering-condition-flags-", "Filtering Condition Flags"),
            "CID": ("filtering-condition-identifiers-", "Filtering Condition Identifiers"),
            "CAL": (
                "filtering-conditions-available-at-each-filtering-layer",
                "Filtering Conditions Available at Each Filtering Layer",
            ),
            "BCI": ("built-in-callout-identifiers", "Built-in Callout Identifiers"),
            "BOP": ("basic-operation", "Basic Operation"),
        },
    ),
    *_microsoft(
        _NET,
        {
            "PIP": ("packet-inspection-points", "Packet Inspection Points"),
            "WLR": ("wfp-layer-requirements-and-restrictions", "WFP Layer Requirements and Restrictions"),
            "ELM": ("ale-endpoint-lifetime-management", "ALE Endpoint Lifetime Management"),
            "TOC": ("types-of-callouts", "Types of Callouts"),
            "ASY": ("processing-classify-callouts-asynchronously", "Processing Classify Callouts Asynchronously"),
            "RED": ("using-bind-or-connect-redirection", "Using Bind or Connect Redirection"),
            "MDL": ("metadata-fields-at-each-filtering-layer", "Metadata Fields at Each Filtering Layer"),
            "DOP": ("data-offset-positions", "Data Offset Positions"),
            "INJ": ("packet-injection-functions", "Packet Injection Functions"),
            "PRG": ("callout-driver-programming-considerations", "Callout Driver Programming Considerations"),
            "IPS": ("developing-ipsec-compatible-callout-drivers", "Developing IPsec-Compatible Callout Drivers"),
            "DCF": ("filtering-condition-flags", "Filtering Condition Flags (driver pages)"),
            "DBC": ("built-in-callout-identifiers", "Built-in Callout Identifiers (driver pages)"),
            "NDR": ("network-layer-discard-reasons", "Network Layer Discard Reasons"),
            "TDR": ("transport-layer-discard-reasons", "Transport Layer Discard Reasons"),
            "GDR": ("general-discard-reasons", "General Discard Reasons"),
            "CH6": (
                "wfp-changes-for-windows-vista-sp1-and-windows-server-2008",
                "WFP Changes for Windows Vista SP1 and Windows Server 2008",
            ),
            "CH7": ("wfp-changes-for-windows-7", "WFP Changes for Windows 7"),
            "CH8": ("wfp-changes-for-windows-8", "WFP Changes for Windows 8"),
        },
    ),
    *_microsoft(
        _DDI,
        {
            "DDI-pend": ("nf-fwpsk-fwpspendoperation0", "FwpsPendOperation0"),
            "DDI-complete": ("nf-fwpsk-fwpscompleteoperation0", "FwpsCompleteOperation0"),
            "DDI-inject-send": ("nf-fwpsk-fwpsinjecttransportsendasync0", "FwpsInjectTransportSendAsync0"),
            "DDI-inject-receive": ("nf-fwpsk-fwpsinjecttransportreceiveasync0", "FwpsInjectTransportReceiveAsync0"),
            "DDI-injection-state": ("nf-fwpsk-fwpsquerypacketinjectionstate0", "FwpsQueryPacketInjectionState0"),
            "DDI-redirect-state": ("nf-fwpsk-fwpsqueryconnectionredirectstate0", "FwpsQueryConnectionRedirectState0"),
            "DDI-connect-request": ("ns-fwpsk-_fwps_connect_request0", "FWPS_CONNECT_REQUEST0"),
            "DDI-apply": ("nf-fwpsk-fwpsapplymodifiedlayerdata0", "FwpsApplyModifiedLayerData0"),
            "DDI-flow-context": ("nf-fwpsk-fwpsflowassociatecontext0", "FwpsFlowAssociateContext0"),
            "DDI-flow-abort": ("nf-fwpsk-fwpsflowabort0", "FwpsFlowAbort0"),
        },
    ),
    Source("SDK-out", "microsoft", "FWPS_CLASSIFY_OUT0", _SDK + "fwpstypes/ns-fwpstypes-fwps_classify_out0"),
    Source("SDK-filter", "microsoft", "FWPM_FILTER0", _SDK + "fwpmtypes/ns-fwpmtypes-fwpm_filter0"),
    Source("WSK-sendto", "microsoft", "sendto function", _SDK + "winsock/nf-winsock-sendto"),
    Source("WSK-recvfrom", "microsoft", "recvfrom function", _SDK + "winsock/nf-winsock-recvfrom"),
    Source(
        "WSI", "microsoft", "Winsock IOCTLs", "https://learn.microsoft.com/en-us/windows/win32/winsock/winsock-ioctls"
    ),
    Source("FOR", "microsoft", "Filter origin audit log", _FIREWALL + "filter-origin-documentation"),
    Source(
        "UWP", "microsoft", "Troubleshooting UWP App Connectivity Issues", _FIREWALL + "troubleshooting-uwp-firewall"
    ),
    Source("QUA", "microsoft", "Quarantine behavior", _FIREWALL + "quarantine"),
    *_microsoft(
        _AUDIT,
        {
            f"E{n}": (f"event-{n}", f"Security event {n}")
            for n in (5152, 5153, 5154, 5155, 5156, 5157, 5158, 5159, 5447)
        },
    ),
    Source(
        "HDR",
        "header",
        "Windows SDK and WDK headers (fwpsk, fwpmu, fwptypes), Windows 10 era",
        "https://github.com/jchoi2022/NtFuzz-HeaderData",
    ),
    Source(
        "PRJ",
        "header",
        "Macro values: SDK header copies and constant tables made from the Windows metadata",
        "https://github.com/microsoft/windows-rs",
    ),
    Source("RFC4443", "observation", "RFC 4443: ICMPv6", "https://www.rfc-editor.org/rfc/rfc4443"),
    Source(
        "WDS144",
        "observation",
        "UDP redirect to a local process fails on Windows 10 1703",
        "https://github.com/microsoft/Windows-driver-samples/issues/144",
    ),
    Source(
        "WSL4985",
        "observation",
        "A blocked ping prints 'General failure'",
        "https://github.com/microsoft/WSL/issues/4985",
    ),
    Source(
        "SECDS",
        "observation",
        "Security events 5152-5158 of OTRF Security-Datasets, 20,625 distinct records",
        "https://github.com/OTRF/Security-Datasets",
    ),
    Source(
        "PCP",
        "observation",
        "Packet capture beside the Security log of one host (MKT01), OTRF Security-Datasets",
        "https://github.com/OTRF/Security-Datasets",
    ),
    Source(
        "EVTX",
        "observation",
        "Security logs of older Windows (2016-2019), public EVTX samples",
        "https://github.com/sbousseaden/EVTX-ATTACK-SAMPLES",
    ),
    Source(
        "WST",
        "observation",
        "netsh wfp show state of October 2024: 99 layers, 1,254 filters",
        "https://github.com/keploy/keploy",
    ),
    Source(
        "EBPF",
        "observation",
        "eBPF for Windows: network extension and socket tests",
        "https://github.com/microsoft/ebpf-for-windows",
    ),
    Source(
        "TRC",
        "observation",
        "Kernel stack of one inbound datagram (eBPF for Windows issue 3786)",
        "https://github.com/microsoft/ebpf-for-windows/issues/3786",
    ),
    Source("WDV", "observation", "WinDivert driver source", "https://github.com/basil00/WinDivert"),
    Source("PMR", "observation", "Portmaster Windows kernel extension", "https://github.com/safing/portmaster"),
    Source("MVD", "observation", "Mullvad split-tunnel driver", "https://github.com/mullvad/win-split-tunnel"),
    Source(
        "SMP",
        "observation",
        "Windows driver samples: WFPSampler, inspect, ddproxy",
        "https://github.com/microsoft/Windows-driver-samples/tree/main/network/trans",
    ),
    Source("SIW", "observation", "simplewall source", "https://github.com/henrypp/simplewall"),
    Source(
        "TCE",
        "observation",
        "TcpipEvents decoder: values of the discard reasons",
        "https://github.com/microsoft/TcpipEvents",
    ),
    Source("RFC792", "observation", "RFC 792: ICMP", "https://www.rfc-editor.org/rfc/rfc792"),
    Source(
        "RFC1122",
        "observation",
        "RFC 1122: no ICMP error about a multicast or broadcast datagram",
        "https://www.rfc-editor.org/rfc/rfc1122",
    ),
    Source("INFERRED", "inference", "Concluded in this project; the row's note gives the reason", ""),
]

SOURCES: dict[str, Source] = {source.key: source for source in _ALL}
