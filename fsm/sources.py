"""The documents and observations that rows and facts cite, by their short keys."""

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
            "WGTID": ("filter-weight-identifiers", "Filter Weight Identifiers"),
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
            "SLI": ("management-filtering-sublayer-identifiers", "Management Filtering Sublayer Identifiers"),
            "BOP": ("basic-operation", "Basic Operation"),
        },
    ),
    *_microsoft(
        _NET,
        {
            "PIP": ("packet-inspection-points", "Packet Inspection Points"),
            "WLR": ("wfp-layer-requirements-and-restrictions", "WFP Layer Requirements and Restrictions"),
            "ELM": ("ale-endpoint-lifetime-management", "ALE Endpoint Lifetime Management"),
            "RTL": ("run-time-filtering-layer-identifiers", "Run-time Filtering Layer Identifiers"),
            "TOC": ("types-of-callouts", "Types of Callouts"),
            "ASY": ("processing-classify-callouts-asynchronously", "Processing Classify Callouts Asynchronously"),
            "RED": ("using-bind-or-connect-redirection", "Using Bind or Connect Redirection"),
            "MDL": ("metadata-fields-at-each-filtering-layer", "Metadata Fields at Each Filtering Layer"),
            "MDI": ("metadata-field-identifiers", "Metadata Field Identifiers"),
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
            "VSW": ("using-virtual-switch-filtering", "Using Virtual Switch Filtering"),
            "UCD": ("using-a-callout-for-deep-inspection", "Using a Callout for Deep Inspection"),
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
            "DDI-flow-delete": (
                "nc-fwpsk-fwps_callout_flow_delete_notify_fn0",
                "FWPS_CALLOUT_FLOW_DELETE_NOTIFY_FN0 (flowDeleteFn)",
            ),
            "DDI-flow-abort": ("nf-fwpsk-fwpsflowabort0", "FwpsFlowAbort0"),
        },
    ),
    Source("SDK-out", "microsoft", "FWPS_CLASSIFY_OUT0", _SDK + "fwpstypes/ns-fwpstypes-fwps_classify_out0"),
    Source("SDK-filter", "microsoft", "FWPM_FILTER0", _SDK + "fwpmtypes/ns-fwpmtypes-fwpm_filter0"),
    Source("SDK-run-filter", "microsoft", "FWPS_FILTER0", _SDK + "fwpstypes/ns-fwpstypes-fwps_filter0"),
    Source("SDK-option", "microsoft", "FWPM_CLASSIFY_OPTION0", _SDK + "fwpmtypes/ns-fwpmtypes-fwpm_classify_option0"),
    Source("SDK-layers", "microsoft", "FWPS_BUILTIN_LAYERS", _SDK + "fwpsu/ne-fwpsu-fwps_builtin_layers"),
    Source("SDK-types", "microsoft", "fwptypes.h: actions, match types, data types", _SDK + "fwptypes/"),
    Source("SDK-mtypes", "microsoft", "fwpmtypes.h: management structures, net events", _SDK + "fwpmtypes/"),
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
    Source("FWPMU", "header", "Windows SDK fwpmu.h: GUIDs, and since when they are there", _SDK + "fwpmu/"),
    Source("AUDC", "microsoft", "Audit Filtering Platform Connection", _AUDIT + "audit-filtering-platform-connection"),
    Source("RFC4443", "observation", "RFC 4443: ICMPv6", "https://www.rfc-editor.org/rfc/rfc4443"),
    Source(
        "WDS144",
        "observation",
        "UDP redirect to a local process fails on Windows 10 1703",
        "https://github.com/microsoft/Windows-driver-samples/issues/144",
    ),
    Source(
        "WDS374",
        "observation",
        "The local end at CONNECT_REDIRECT is not set yet",
        "https://github.com/microsoft/Windows-driver-samples/issues/374",
    ),
    Source(
        "WDD3110",
        "observation",
        "A new local address at CONNECT_REDIRECT works for TCP only",
        "https://github.com/MicrosoftDocs/windows-driver-docs/issues/3110",
    ),
    Source(
        "AMN3160",
        "observation",
        "A DNS client whose datagrams are blocked at AUTH_CONNECT times out",
        "https://github.com/amnezia-vpn/amnezia-client/issues/3160",
    ),
    Source(
        "WIN252", "observation", "Drops of WinDivert are not logged", "https://github.com/basil00/WinDivert/issues/252"
    ),
    Source(
        "MYS375",
        "observation",
        "Output of netsh wfp show filters",
        "https://github.com/mysteriumnetwork/node/issues/375",
    ),
    Source(
        "WLB", "observation", "Winlogbeat's security module: the %% message codes", "https://github.com/elastic/beats"
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
