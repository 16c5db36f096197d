"""Every number and layout of the room, against the kernel's headers and a compiler."""

from __future__ import annotations

import ctypes
import os
import shutil
from pathlib import Path

import pytest

from hw.abi import (
    addresses,
    capabilities,
    interface,
    pps,
    ptp,
    rtc,
    sockets,
    timex,
    tty,
)
from hw.abi.bpf import call as bpf
from hw.abi.bpf import maps, programs
from hw.abi.timex import Timex
from hw.net.responder import program as responder
from tests.debian import call as run

EXPECTED = {
    # sockets
    "SO_TIMESTAMPING_NEW": sockets.SO_TIMESTAMPING,
    "SO_TIMESTAMPING_OLD": sockets._REQUEST_STAMP,
    "SO_RCVTIMEO_NEW": sockets.SO_RCVTIMEO,
    "SO_RCVBUFFORCE": sockets.SO_RCVBUFFORCE,
    "SO_ATTACH_REUSEPORT_CBPF": sockets.SO_ATTACH_REUSEPORT_CBPF,
    "SO_MEMINFO": sockets.SO_MEMINFO,
    "SK_MEMINFO_DROPS": sockets.SK_MEMINFO_DROPS,
    "MSG_WAITFORONE": sockets.MSG_WAITFORONE,
    "SOF_TIMESTAMPING_TX_HARDWARE": sockets.TX_HARDWARE,
    "SOF_TIMESTAMPING_TX_SOFTWARE": sockets.TX_SOFTWARE,
    "SOF_TIMESTAMPING_RX_HARDWARE": sockets.RX_HARDWARE,
    "SOF_TIMESTAMPING_RX_SOFTWARE": sockets.RX_SOFTWARE,
    "SOF_TIMESTAMPING_SOFTWARE": sockets.SOFTWARE,
    "SOF_TIMESTAMPING_RAW_HARDWARE": sockets.RAW_HARDWARE,
    "SOF_TIMESTAMPING_OPT_ID": sockets.OPT_ID,
    "SOF_TIMESTAMPING_OPT_CMSG": sockets.OPT_CMSG,
    "SOF_TIMESTAMPING_OPT_TSONLY": sockets.OPT_TSONLY,
    "SOF_TIMESTAMPING_OPT_TX_SWHW": sockets.OPT_TX_SWHW,
    "IP_PKTINFO": sockets.IP_PKTINFO,
    "IP_RECVERR": sockets.IP_RECVERR,
    "IPV6_RECVERR": sockets.IPV6_RECVERR,
    "sizeof(struct msghdr)": ctypes.sizeof(sockets.Header),
    "offsetof(struct msghdr, msg_controllen)": sockets.Header.control_length.offset,
    "sizeof(struct mmsghdr)": ctypes.sizeof(sockets.Message),
    "offsetof(struct mmsghdr, msg_len)": sockets.Message.length.offset,
    "sizeof(struct iovec)": ctypes.sizeof(sockets.Iov),
    "CMSG_LEN(0)": sockets.CMSG_HEADER,
    "CMSG_SPACE(4)": len(sockets.want_stamp(0)),
    "CMSG_SPACE(12)": sockets.cmsg_space(12),
    "CMSG_SPACE(3 * sizeof(struct __kernel_timespec))": sockets.STAMPS_SPACE,
    "3 * sizeof(struct __kernel_timespec)": sockets.STAMPS.size,
    "sizeof(struct __kernel_sock_timeval)": sockets.TIMEVAL.size,
    "sizeof(struct sock_extended_err)": sockets.TICKET.size,
    "offsetof(struct sock_extended_err, ee_data) + 4": sockets.TICKET.size,
    "sizeof(struct sock_filter)": sockets.FILTER_INSTRUCTION.size,
    "sizeof(struct sock_fprog)": ctypes.sizeof(ctypes.c_void_p) * 2,
    # timex
    "ADJ_OFFSET": timex.ADJ_OFFSET,
    "ADJ_FREQUENCY": timex.ADJ_FREQUENCY,
    "ADJ_MAXERROR": timex.ADJ_MAXERROR,
    "ADJ_ESTERROR": timex.ADJ_ESTERROR,
    "ADJ_STATUS": timex.ADJ_STATUS,
    "ADJ_TAI": timex.ADJ_TAI,
    "ADJ_SETOFFSET": timex.ADJ_SETOFFSET,
    "ADJ_MICRO": timex.ADJ_MICRO,
    "ADJ_NANO": timex.ADJ_NANO,
    "ADJ_TICK": timex.ADJ_TICK,
    "STA_PLL": timex.STA_PLL,
    "STA_INS": timex.STA_INS,
    "STA_DEL": timex.STA_DEL,
    "STA_UNSYNC": timex.STA_UNSYNC,
    "STA_NANO": timex.STA_NANO,
    "sizeof(struct timex)": ctypes.sizeof(Timex),
    **{
        f"offsetof(struct timex, {name.replace('time_', 'time.tv_')})": (
            getattr(Timex, name).offset
        )
        for name, *_ in Timex._fields_
        if name[0] != "_" and name != "reserved"
    },
    # pps
    "PPS_SETPARAMS": pps.SETPARAMS,
    "PPS_GETCAP": pps.GETCAP,
    "PPS_FETCH": pps.FETCH,
    "PPS_CAPTUREASSERT": pps.CAPTUREASSERT,
    "PPS_CAPTURECLEAR": pps.CAPTURECLEAR,
    "PPS_TSFMT_TSPEC": pps.TSPEC,
    "PPS_API_VERS": pps.API_VERSION,
    "sizeof(struct pps_fdata)": pps.FETCH_SIZE,
    "offsetof(struct pps_fdata, timeout)": pps.TIMEOUT_AT,
    "offsetof(struct pps_kinfo, current_mode)": pps.INFO.size,
    "sizeof(struct pps_kparams)": pps.PARAMS.size,
    "sizeof(struct pps_ktime)": pps.TIMEOUT.size,
    # rtc
    "RTC_RD_TIME": rtc.RTC_RD_TIME,
    "RTC_SET_TIME": rtc.RTC_SET_TIME,
    # ptp
    "PTP_CLOCK_GETCAPS": ptp.GETCAPS,
    "PTP_EXTTS_REQUEST": ptp.EXTTS_REQUEST,
    "PTP_SYS_OFFSET": ptp.SYS_OFFSET,
    "PTP_PIN_GETFUNC": ptp.PIN_GETFUNC,
    "PTP_PIN_SETFUNC": ptp.PIN_SETFUNC,
    "PTP_SYS_OFFSET_PRECISE": ptp.SYS_OFFSET_PRECISE,
    "PTP_SYS_OFFSET_EXTENDED": ptp.SYS_OFFSET_EXTENDED,
    "PTP_ENABLE_FEATURE": ptp.ENABLE,
    "PTP_RISING_EDGE": ptp.RISING,
    "PTP_FALLING_EDGE": ptp.FALLING,
    "PTP_PF_EXTTS": ptp.FUNCTION_EXTTS,
    "sizeof(struct ptp_extts_event)": ptp.EVENT.size,
    "3 * sizeof(struct ptp_clock_time)": ptp._TIMES.size,
    # interface
    "SIOCETHTOOL": interface._SIOCETHTOOL,
    "SIOCSHWTSTAMP": interface.SIOCSHWTSTAMP,
    "SIOCGHWTSTAMP": interface.SIOCGHWTSTAMP,
    "HWTSTAMP_TX_ON": interface.TX_ON,
    "HWTSTAMP_FILTER_ALL": interface.FILTER_ALL,
    "HWTSTAMP_FILTER_NTP_ALL": interface.FILTER_NTP_ALL,
    "sizeof(struct hwtstamp_config)": interface.HWTSTAMP_CONFIG.size,
    "ETHTOOL_GET_TS_INFO": interface._GET_TS_INFO,
    "sizeof(struct ethtool_ts_info)": interface._TS_INFO.size,
    "offsetof(struct ethtool_ts_info, phc_index)": 8,
    "offsetof(struct ethtool_ts_info, rx_filters)": 28,
    "sizeof(struct ifreq)": interface._IFREQ.size,
    "offsetof(struct ifreq, ifr_data)": 16,
    # tty
    "N_TTY": tty.N_TTY,
    "N_PPS": tty.N_PPS,
    # bpf, and the frames its programs are given
    "BPF_MAP_TYPE_HASH": maps.HASH,
    "BPF_MAP_TYPE_ARRAY": maps.ARRAY,
    "BPF_MAP_TYPE_PERCPU_ARRAY": maps.PERCPU_ARRAY,
    "BPF_MAP_TYPE_LRU_HASH": maps.LRU_HASH,
    "BPF_MAP_TYPE_LPM_TRIE": maps.LPM_TRIE,
    "BPF_F_NO_PREALLOC": maps.NO_PREALLOC,
    "BPF_F_MMAPABLE": maps.MMAPABLE,
    "BPF_PROG_TYPE_SCHED_CLS": programs.SCHED_CLS,
    "BPF_PROG_TYPE_XDP": programs.XDP,
    "BPF_XDP": programs.ON_XDP,
    "XDP_FLAGS_SKB_MODE": programs.XDP_FLAGS_SKB_MODE,
    "XDP_DROP": responder.XDP_DROP,
    "XDP_PASS": responder.XDP_PASS,
    "XDP_TX": responder.XDP_TX,
    "BPF_MAP_CREATE": bpf.MAP_CREATE,
    "BPF_MAP_LOOKUP_ELEM": bpf.MAP_LOOKUP_ELEM,
    "BPF_MAP_UPDATE_ELEM": bpf.MAP_UPDATE_ELEM,
    "BPF_MAP_DELETE_ELEM": bpf.MAP_DELETE_ELEM,
    "BPF_MAP_GET_NEXT_KEY": bpf.MAP_GET_NEXT_KEY,
    "CAP_NET_ADMIN": capabilities._CAP_NET_ADMIN,
    "CAP_BPF": capabilities._CAP_BPF,
    "_LINUX_CAPABILITY_VERSION_3": capabilities._VERSION_3,
    "BPF_PROG_LOAD": bpf.PROG_LOAD,
    "BPF_PROG_TEST_RUN": bpf.PROG_TEST_RUN,
    "BPF_MAP_LOOKUP_BATCH": bpf.MAP_LOOKUP_BATCH,
    "BPF_LINK_CREATE": bpf.LINK_CREATE,
    **{f"BPF_FUNC_{name}": number for name, number in programs.HELPERS.items()},
    **{
        f"offsetof(struct __sk_buff, {field})": responder._TC[name]
        for name, field in (
            ("LENGTH", "len"),
            ("PACKET_TYPE", "pkt_type"),
            ("VLAN_PRESENT", "vlan_present"),
            ("INTERFACE", "ifindex"),
            ("DATA", "data"),
            ("DATA_END", "data_end"),
            ("STAMP", "tstamp"),
        )
    },
    "offsetof(struct xdp_md, data_end)": responder._XDP["DATA_END"],
    "offsetof(struct xdp_md, ingress_ifindex)": responder._XDP["INTERFACE"],
    "BPF_F_MARK_MANGLED_0": responder._NAMES["MARK_MANGLED_0"],
    "BPF_NOEXIST": responder._NAMES["NOEXIST"],
    "SIOCGIFCONF": addresses._SIOCGIFCONF,
    "SIOCGIFFLAGS": addresses._SIOCGIFFLAGS,
    "SIOCGIFHWADDR": addresses._SIOCGIFHWADDR,
    "SIOCGIFINDEX": addresses._SIOCGIFINDEX,
    "IFF_SLAVE": addresses.SLAVE,
    "ARPHRD_ETHER": addresses.ETHERNET,
    "ARPHRD_LOOPBACK": addresses.LOOPBACK,
    "IFA_F_TENTATIVE": addresses._TENTATIVE,
    "IFA_F_DADFAILED": addresses._DUPLICATE,
}
_C = """
#define _GNU_SOURCE
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/timex.h>
#include <netinet/in.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/errqueue.h>
#include <linux/ethtool.h>
#include <linux/filter.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/net_tstamp.h>
#include <linux/pps.h>
#include <linux/ptp_clock.h>
#include <linux/rtc.h>
#include <linux/sock_diag.h>
#include <linux/sockios.h>
#include <linux/time_types.h>
#include <linux/tty.h>
#define SHOW(what) printf("%lld\\n", (long long)(what));
int main(void) {
    MEASURES
    return 0;
}
"""


@pytest.mark.interop
def test_numbers_and_layouts_are_the_compiler_s(tmp_path: Path) -> None:
    compiler = shutil.which("cc")
    if compiler is None or not Path("/usr/include/linux/pps.h").exists():
        assert not os.environ.get("CI"), "no C compiler, or no kernel headers"
        pytest.skip("no C compiler, or no kernel headers")
    source = tmp_path / "show.c"
    measures = "\n    ".join(f"SHOW({what})" for what in EXPECTED)
    source.write_text(_C.replace("MEASURES", measures))
    program = tmp_path / "show"
    wide = ("-D_TIME_BITS=64", "-D_FILE_OFFSET_BITS=64")
    run([compiler, *wide, str(source), "-o", str(program)])
    shown = run([str(program)])
    assert dict(zip(EXPECTED, map(int, shown.split()), strict=True)) == EXPECTED
