"""The faults that the field reports, each with what holds it: `python -m
tests.sim.reports` prints the table.

A kind is held by worlds of the catalogue (`tests.sim.rows`), by tests, or by both. A
test is named by its module and its function, without `test_`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

_TESTS: Final = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Report:
    """A kind of fault, and what holds it."""

    id: str
    """A: wrong time. B: no service. C: clients and messages. D: attacks. E: what a
    newcomer and an operator meet."""
    kind: str
    worlds: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()
    """`module: function`, without `test_`."""


REPORTS: Final = (
    Report(
        "A1",
        "bytes that come faster than the line's speed allows",
        ("bridge",),
        (
            "line: bursts_at_once_refute_the_speed",
            "line: bytes_faster_than_the_line_can_carry_refute_its_speed",
            "burst_live: the_second_is_the_one_it_names",
        ),
    ),
    Report(
        "A2",
        "a receiver that resets its time and flags it valid",
        ("reset-hour", "wrong-second"),
        (
            "second: each_voucher_has_a_limit",
            "second: a_right_leap_count_vouches_for_no_reset_of_the_time",
            "second: nor_for_another_second_than_it_named_with_that_count",
            "first_second: a_second_corrected_at_the_start_is_served_right_in_the_end",
        ),
    ),
    Report(
        "A3",
        "a date far ahead that is kept on disk",
        ("other-date",),
        (
            "memory_laws: it_is_never_further_ahead_than_the_time_that_passed",
            "compose: the_date_of_build_is_the_floor_whatever_the_state_holds",
        ),
    ),
    Report(
        "A4",
        "sentences more than a second late",
        ("late-a-second", "lag-900ms", "lag-drift"),
        (
            "vote: a_burst_names_one_second",
            "vote: what_cannot_be_told_is_in_doubt",
            "vote: of_sentences_a_second_late_a_witness_decides",
        ),
    ),
    Report(
        "A5",
        "a battery clock that has no effect",
        ("battery", "battery-against", "late-a-second"),
        (
            "engine: a_battery_clock_stops_a_date_and_a_second_it_excludes",
            "rtc: where_it_may_wait_it_waits_for_the_next_second",
        ),
    ),
    Report(
        "A6",
        "pulses that nobody vouches for",
        ("other-speed", "sentences-lost"),
        (
            "engine: a_pulse_without_a_receiver_that_vouches_for_it_is_not_followed",
            "gnss_driver: a_line_unreadable_for_long_is_given_up",
        ),
    ),
    Report(
        "A7",
        "a verdict that depends on the order of sentences",
        ("estimated-by-gga", "dead-reckoning"),
        (
            "epoch: the_verdict_does_not_depend_on_the_order",
            "dialects: nothing_is_served_and_the_cause_is_said",
        ),
    ),
    Report(
        "A8",
        "an edge taken for the second without evidence",
        ("long-pulse", "square-pulse", "both-edges"),
        (
            "edges: where_it_begins_with_the_falling_edge_the_widths_do_not_tell",
            "edges: of_a_pulse_as_long_as_its_pause_the_widths_do_not_tell",
        ),
    ),
    Report(
        "A9",
        "a path's lateness claimed to less than it varies",
        (),
        (
            "linux_priors: an_adapter_s_covers_a_period_of_asking",
            "linux_priors: no_prior_claims_more_than_its_source",
            "measured_latency: the_bound_shrinks_and_holds",
        ),
    ),
    Report(
        "B1",
        "32-bit programs with 64-bit time",
        (),
        (
            "armhf_kernel: it_keeps_the_contract",
            "armhf_kernel: the_daemon_tells_true_time",
            "armhf_kernel: time_after_2038",
        ),
    ),
    Report(
        "B2",
        "another time service that stops this one",
        (),
        ("linux_service: others_give_way_to_it_while_it_is_enabled",),
    ),
    Report(
        "B3",
        "an address or interface that comes later, or again",
        (),
        (
            "interfaces_live: a_listener_hears_once_its_address_is_there",
            "interfaces_live: a_listener_comes_and_goes_with_its_interface",
        ),
    ),
    Report(
        "B4",
        "many hosts that look like one",
        (),
        (
            "admit: 500_hosts_of_one_64_are_all_served",
            "admit: an_address_of_many_hosts_has_the_pace_of_a_network",
        ),
    ),
    Report(
        "B5",
        "an IPv4 address mapped into IPv6",
        (),
        ("access: an_ipv4_address_mapped_into_ipv6_is_the_ipv4_address",),
    ),
    Report(
        "B6",
        "a disk that stalls",
        (),
        (
            "disk_stalls: the_engine_does_not_notice_a_stalled_disk",
            "state: a_disk_that_stalls_is_not_waited_for",
            "recorder_bounds: a_disk_too_slow_ends_it_and_nobody_waits",
        ),
    ),
    Report(
        "B7",
        "a container that forbids to set the clock",
        (),
        (
            "run_command: a_container_that_forbids_the_clock_is_told",
            "linux_clock: a_container_that_forbids_even_reading_says_what_is_missing",
        ),
    ),
    Report(
        "B8",
        "a service manager that is not there",
        (),
        ("run_command: a_service_manager_that_is_not_there_is_passed_over",),
    ),
    Report(
        "B9",
        "status and mode letters of newer sentences",
        (),
        ("epoch: the_verdict", "dialects: the_true_second_is_served"),
    ),
    Report(
        "B10",
        "two clocks on one line",
        (),
        (
            "clocks: of_two_talkers_the_satellite_receiver_is_used",
            "clocks: two_bursts_at_once_look_like_two_clocks_for_some_seconds_only",
            "dialects: the_true_second_is_served",
        ),
    ),
    Report(
        "B11",
        "pulses of another period",
        (),
        (
            "periods: each_edge_of_a_square_wave_of_half_a_hertz",
            "periods: several_pulses_a_second_need_one_who_tells_them_apart",
        ),
    ),
    Report(
        "B12",
        "receivers left in a binary protocol",
        (),
        (
            "dialects: the_true_second_is_served",
            "frames: a_frame_proves_the_speed",
            "switch: message_by_message",
        ),
    ),
    Report(
        "B13",
        "fields and checksums written in another way",
        (),
        (
            "nmea: an_empty_field_is_not_an_unreadable_one",
            "framer: a_checksum_below_16_may_have_one_digit",
            "dialects: the_true_second_is_served",
        ),
    ),
    Report(
        "B14",
        "a receiver's device that is no terminal",
        (),
        ("linux_stream: bytes_come_raw_with_their_arrival",),
    ),
    Report(
        "B15",
        "several battery clocks, and a chip in 12-hour mode",
        (),
        (
            "linux_rtc: the_one_that_is_set_is_chosen",
            "linux_i2c: hours_that_count_to_twelve_are_read_and_written",
        ),
    ),
    Report(
        "C1",
        "answers of version 3",
        (),
        ("query_live: a_server_that_answers_in_version_3",),
    ),
    Report("C2", "dead addresses first", (), ("query_live: every_address_is_tried",)),
    Report(
        "C3",
        "late answers",
        (),
        ("query_live: a_late_answer_counts_within_the_timeout",),
    ),
    Report(
        "C4",
        "a loss after good answers",
        (),
        (
            "query_live: what_was_measured_before_a_loss_is_reported",
            "query_live: one_loss_in_between_is_no_end",
        ),
    ),
    Report(
        "C5",
        "a server that was never set",
        (),
        ("query_live: a_server_that_does_not_tell_when_it_was_set",),
    ),
    Report(
        "C6",
        "a poll below 0",
        (),
        ("reply: a_kiss_tells_no_more_than_to_slow_down", "ntp_laws: every_reply"),
    ),
    Report("C7", "kisses without end", (), ("admit: kisses_are_paced",)),
    Report(
        "C8",
        "any encoding",
        (),
        ("terminal: any_encoding_will_do",),
    ),
    Report(
        "C9",
        "errors of the system without a remedy",
        (),
        (
            "linux_faults: each_refusal_says_where_why_and_what_next",
            "linux_faults: every_number_has_a_sentence",
            "demo: a_taken_port_names_its_holder",
        ),
    ),
    Report(
        "C10",
        "hosts that are denied in silence",
        (),
        (
            "service: a_host_that_is_denied_is_listed_as_such",
            "admit: the_denied_are_listed_and_not_remembered",
        ),
    ),
    Report(
        "C11",
        "what must not start before the time is right",
        (),
        (
            "wait: it_ends_as_soon_as_the_time_is_right",
            "wait: the_time_is_right_when_it_is_served_and_the_clock_set",
        ),
    ),
    Report(
        "C12",
        "broadcasts that cannot be",
        (),
        (
            "server_settings: settings_refuse_what_cannot_be_broadcast",
            "broadcast: a_network_that_is_not_there_is_told_later",
        ),
    ),
    Report(
        "D1",
        "a receiver days ahead for a moment",
        ("other-date",),
        ("memory_laws: what_was_never_served_is_not_kept",),
    ),
    Report(
        "D2",
        "bytes that end the process",
        (),
        (
            "bytes_to_engine: no_bytes_end_the_engine",
            "dialects: a_date_that_cannot_be_ends_nothing",
        ),
    ),
    Report(
        "D3",
        "sentences of a burst that contradict each other",
        (),
        (
            "clocks: a_second_contradicted_in_a_burst",
            "dialects: nothing_is_served_and_the_cause_is_said",
        ),
    ),
    Report(
        "D4",
        "a leap second announced and withdrawn",
        (),
        ("engine: an_announcement_withdrawn_leaves_no_leap_second",),
    ),
    Report(
        "D5",
        "corrections by the receiver out of range",
        (),
        ("dialects: the_true_second_is_served",),
    ),
    Report(
        "D6",
        "requests forged in a client's name",
        (),
        (
            "admit: forged_requests_in_a_host_s_name_leave_it_a_share",
            "admit: nobody_is_kissed_by_default",
            "clients: strangers_cannot_push_out_a_departure_that_goes_on",
        ),
    ),
    Report(
        "D7",
        "made-up sources that fill the table",
        (),
        (
            "admit: a_newcomer_is_remembered_however_full_the_table",
            "service_shipped: made_up_addresses_cost_no_honest_client_its_state",
        ),
    ),
    Report(
        "D8",
        "a state file of impossible values",
        (),
        (
            "poisoned: poisoned_state_heals_under_the_true_sky",
            "memory_laws: a_memory_with_another_value_in_it_is_one_of_ours_or_none",
            "documents: damaged_documents_give_values_or_a_named_refusal",
        ),
    ),
    Report(
        "D9",
        "control characters from outside",
        (),
        (
            "escape: what_is_shown_is_one_line_that_prints",
            "logs: what_came_from_outside_is_spelled_out",
            "decode: what_a_receiver_says_of_itself_cannot_move_the_cursor",
        ),
    ),
    Report(
        "D10",
        "headers within headers",
        (),
        (
            "frames: headers_within_headers_cost_no_more_than_their_length",
            "gnss_driver: a_flood_is_read_in_part_and_said",
        ),
    ),
    Report(
        "D11",
        "modules of another in the current folder",
        (),
        ("workers_live: modules_of_the_current_folder_are_not_run",),
    ),
    Report(
        "D12",
        "faulty settings at a reload",
        (),
        (
            "reload: a_fault_is_logged_and_the_old_settings_stay",
            "reload: not_even_a_bug_in_it_ends_anything",
        ),
    ),
    Report(
        "D13",
        "a request in the name of a network",
        (),
        ("interfaces_live: a_request_in_the_name_of_a_network_is_not_answered",),
    ),
    Report(
        "D14",
        "connections that keep others out",
        (),
        (
            "control: idle_connections_keep_nobody_from_an_answer",
            "control: the_socket_is_of_its_group_alone",
        ),
    ),
    Report(
        "D15",
        "recordings that fill a disk or the memory",
        (),
        (
            "recorder_bounds: a_full_disk_ends_the_recording_and_nothing_else",
            "recorder_bounds: a_bomb_is_no_recording",
        ),
    ),
    Report(
        "E2",
        "a socket that is asked before it listens",
        (),
        ("control: it_can_be_asked_as_soon_as_its_path_is_there",),
    ),
    Report(
        "E3",
        "a page larger than the terminal",
        (),
        (
            "terminal: a_page_fits_its_terminal",
            "demo: its_page_fits_the_terminal_and_it_ends_with_it",
        ),
    ),
    Report(
        "E4",
        "a demonstration that breaks a promise of the simulation",
        (),
        ("demo: a_clock_years_off_is_served_right_by_its_battery_clock",),
    ),
    Report(
        "E5",
        "trouble that never comes in a demonstration",
        (),
        (
            "demo: every_trouble_comes_within_15_s",
            "demo: it_announces_its_trouble_marks_it_and_tells_of_alarms",
            "simulate: the_catalogue_is_a_table",
        ),
    ),
    Report(
        "E6",
        "files missing in the installed package",
        (),
        ("shipped: the_wheel_holds_every_folder_that_is_asked_for",),
    ),
    Report(
        "E7",
        "a path that is no socket of ours",
        (),
        ("control: what_is_no_socket_is_left_alone",),
    ),
    Report(
        "E8",
        "full disks, closed pipes and terminals",
        (),
        (
            "terminal: a_full_disk_is_told_without_a_traceback",
            "terminal: closed_streams_are_no_fault",
            "terminal: a_demo_ends_with_the_reader_of_its_pipe",
        ),
    ),
    Report(
        "E10",
        "arguments out of range",
        (),
        (
            "query_live: arguments_are_checked",
            "demo: a_wrong_option_is_refused",
            "values: a_value_out_of_range_is_refused_with_the_range",
        ),
    ),
    Report(
        "E11",
        "a start without settings, and a reload that is not taken over",
        (),
        (
            "check: settings_that_are_not_there_name_the_next_action",
            "reload: what_waits_for_a_restart_is_named",
        ),
    ),
    Report(
        "E12",
        "a device that was never there",
        (),
        (
            "linux_board: no_receiver_at_all_says_what_to_do",
            "journal: a_device_sought_in_vain_is_told_once_a_reason",
        ),
    ),
    Report(
        "E13",
        "faults of the settings without line and key",
        (),
        (
            "toml: every_fault_is_told_at_once_with_its_line",
            "toml: what_is_no_toml_is_told_with_its_line",
            "toml: a_byte_order_mark_is_passed_over",
        ),
    ),
    Report(
        "E14",
        "settings called good that cannot work",
        (),
        (
            "check: what_the_machine_has_not_is_told_with_file_line_and_key",
            "check: paths_that_cannot_be_used_are_told",
        ),
    ),
    Report(
        "E15",
        "a refused state file that is overwritten",
        (),
        ("state: what_is_refused_is_set_aside_and_told_in_words",),
    ),
    Report(
        "E16",
        "scores and pictures that leave out what they are of",
        (),
        (
            "simulate: what_is_scored_of_a_short_run_is_said",
            "simulate: of_a_short_run_the_second_half_is_judged",
            "plot: a_run_is_drawn",
        ),
    ),
    Report(
        "E17",
        "a board file that cannot be applied",
        (),
        (
            "linux_boards: a_board_says_only_what_can_be_set",
            "linux_boards: the_line_and_the_boot_overlay_are_the_same_pin",
        ),
    ),
)


@cache
def functions() -> frozenset[str]:
    """Every test there is, as `module: function`."""
    return frozenset(
        f"{file.stem.removeprefix('test_')}: {each.name.removeprefix('test_')}"
        for file in _TESTS.rglob("test_*.py")
        for each in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(each, ast.FunctionDef) and each.name.startswith("test_")
    )


def table() -> Iterator[str]:
    """Markdown, a line at a time."""
    yield "| Report | Kind | Worlds | Tests |"
    yield "|---|---|---|---|"
    for each in REPORTS:
        tests = ", ".join(each.tests)
        yield f"| {each.id} | {each.kind} | {', '.join(each.worlds)} | {tests} |"


if __name__ == "__main__":
    for line in table():
        print(line)  # noqa: T201 - that is what it is for
