"""Who with whom over what: the table in the README, run."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.debian import MissingError
from tests.interop.conftest import KEYS, Server
from tests.interop.newer import newer
from tests.interop.peers import CASES, Case
from tests.interop.programs import Program
from tests.interop.test_chronyd import _PASSED, Chronyd

pytestmark = [pytest.mark.interop, pytest.mark.slow]

NTPD_RS = """
[observability]
log-level = "debug"
[[source]]
{source}
[source-defaults]
poll-interval-limits = {{ min = 4, max = 4 }}
[synchronization]
minimum-agreeing-sources = 1
"""


def had_newer(name: str) -> Program:
    """Debian 13's; the test is skipped where it cannot be had, not in CI."""
    try:
        return newer(name)
    except MissingError as why:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"no {name}: {why}")


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_client_believes_us(
    server: Server, had: Callable[[str], Program], case: Case, tmp_path: Path
) -> None:
    found = had_newer(case.program) if case.debian == 13 else had(case.program)
    if case.program == "chronyd":
        believes_chronyd(server, Chronyd(found, tmp_path), case)
    else:
        believes_ntpd_rs(server, found, case, tmp_path)


def believes_chronyd(server: Server, chronyd: Chronyd, case: Case) -> None:
    assert server.nts is not None
    keys = chronyd.folder / "keys"
    keys.write_text(KEYS)
    keys.chmod(0o600)
    polls = f"port {server.port} minpoll -2 maxpoll -2 iburst"
    words = [f"server 127.0.0.1 {polls} {case.option}", f"keyfile {keys}"]
    if case.aead:
        words[0] += f" nts ntsport {server.nts.port}"
        words[1] = f"ntstrustedcerts {server.nts.authority}"
        words += [f"ntsaeads {case.aead}"] if case.debian == 13 else []
    with server.watched() as seen:
        said = chronyd.run(server, "-Q", "-t", "10", *words)
    assert said.code == 0, said.text
    rows = chronyd.rows()
    assert rows[0].passed == _PASSED
    assert all(seen.holds(row.offset_s, row.error_s) for row in rows)


def believes_ntpd_rs(
    server: Server, ntpd_rs: Program, case: Case, folder: Path
) -> None:
    assert server.nts is not None
    source = f'mode = "server"\naddress = "127.0.0.1:{server.port}"'
    if case.aead:
        source = (
            f'mode = "nts"\naddress = "127.0.0.1:{server.nts.port}"\n'
            f'certificate-authority = "{server.nts.authority}"'
        )
    takes_for_stratum_1(ntpd_rs, source, folder, server.within)


def takes_for_stratum_1(
    ntpd_rs: Program, source: str, folder: Path, within: Sequence[str]
) -> None:
    """It has an answer of that source, and believes it."""
    settings = folder / "ntp.toml"
    settings.write_text(NTPD_RS.format(source=source))

    def believed(line: str) -> bool:
        return "stratum: 1," in line and "updating source" in line

    said = ntpd_rs.run("-c", str(settings), within=within, until=believed, limit_s=15)
    assert any(map(believed, said.text.splitlines())), said.text
