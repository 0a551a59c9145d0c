"""The Share service as its real clients use it, without a server."""

import json
from uuid import UUID

import pytest

from nightbell.load.gate import SHED_LOWER, Level
from nightbell.load.service import Admission
from nightbell.publish.door import DoorAnswer
from nightbell.publish.service import BODY_BYTES_MAX
from nightbell.words.clock import ManualClock
from nightbell.words.glucose import CENSORED_HIGH, CENSORED_LOW
from tests.unit.share_cast import ANA, APP, MIN, NOW, PASSWORD, UNKNOWN, Service, egv, fault


@pytest.fixture
def service() -> Service:
    return Service()


# Signing in


async def test_signing_in_by_name_and_by_id_gives_quoted_uuids(service: Service) -> None:
    name = {"accountName": "ANA-phone", "password": PASSWORD, "applicationId": APP.upper()}
    account = await service.call("General/AuthenticatePublisherAccount", name)
    by_id = {"accountId": ANA.account, "password": PASSWORD, "applicationId": "anything"}
    session = await service.call("General/LoginPublisherAccountById", by_id)

    assert account == DoorAnswer(200, account.headers, b'"%s"' % ANA.account.encode())
    assert len(session.body) == 38
    assert str(UUID(json.loads(session.body))) == json.loads(session.body)
    assert (b"content-type", b"application/json") in session.headers
    assert (b"cache-control", b"no-cache, no-store, max-age=0, must-revalidate") in session.headers


@pytest.mark.parametrize(
    ("method", "body"),
    [
        ("AuthenticatePublisherAccount", {"accountName": "ana-phone", "password": "wrong"}),
        ("AuthenticatePublisherAccount", {"accountName": "nobody", "password": PASSWORD}),
        ("LoginPublisherAccountByName", {"accountName": "ana-phone", "password": "wrong"}),
        ("LoginPublisherAccountById", {"accountId": ANA.account, "password": "wrong"}),
        ("LoginPublisherAccountById", {"accountId": UNKNOWN, "password": PASSWORD}),
    ],
)
async def test_wrong_passwords_and_unknown_accounts_look_the_same(
    service: Service, method: str, body: dict[str, str]
) -> None:
    answer = await service.call(f"General/{method}", body)

    assert fault(answer) == ("AccountPasswordInvalid", "Publisher account password failed")
    assert service.accounts.sessions == {}


@pytest.mark.parametrize(
    ("method", "body", "word"),
    [
        ("LoginPublisherAccountById", {"accountId": "1", "password": PASSWORD}, "UUID"),
        ("LoginPublisherAccountById", {"accountId": None, "password": PASSWORD}, "UUID"),
        ("LoginPublisherAccountByName", {"accountName": "", "password": PASSWORD}, "accountName"),
        ("AuthenticatePublisherAccount", {"accountName": "ana-phone"}, "password"),
        ("AuthenticatePublisherAccount", {"accountName": "ana-phone", "password": [1]}, "password"),
        ("AuthenticatePublisherAccount", b"not json", "accountName"),
        ("AuthenticatePublisherAccount", b'""', "accountName"),
    ],
)
async def test_a_missing_field_is_named(service: Service, method: str, body: object, word: str) -> None:
    wrong = fault(await service.call(f"General/{method}", body))

    assert wrong.code == "InvalidArgument"
    assert word in wrong.message


async def test_half_a_character_is_not_said_back(service: Service) -> None:
    body = b'{"accountId":"\\ud800","password":"x"}'

    assert fault(await service.call("General/LoginPublisherAccountById", body)).code == "InvalidArgument"


async def test_a_session_of_yesterday_is_not_found(service: Service) -> None:
    session = await service.log_in()
    service.now_ms += 2 * 86_400_000

    for unknown in (session, UNKNOWN, "", "x" * 5000, "00000000-0000-0000-0000-000000000000"):
        method = "Publisher/ReadPublisherLatestGlucoseValues"
        assert fault(await service.call(method, b"{}", sessionId=unknown)).code == "SessionIdNotFound"


async def test_the_right_password_is_heard_after_wrong_ones_by_waiting(service: Service) -> None:
    service.accounts.impatient_until_ms = NOW + 15_000

    assert await service.log_in()
    assert service.now_ms >= NOW + 15_000


# The sequences of real clients


async def test_the_publisher_of_xdrip_goes_all_its_way(service: Service) -> None:
    who = {"accountName": ANA.name, "password": PASSWORD, "applicationId": APP}
    session = await service.string("General/LoginPublisherAccountByName", who)
    serial = {"sessionId": session, "serialNumber": "SM12345678"}
    assert (await service.call("General/AuthenticatePublisherAccount", who, **serial)).status == 200
    started = await service.call("Publisher/StartRemoteMonitoringSession", **serial)
    status = await service.call("Publisher/CheckMonitoredReceiverAssignmentStatus", **serial)

    posted = await service.post(session, egv(97))

    assert (started.status, started.body) == (200, b"")
    assert status.body == b'"AssignedToYou"'
    assert (posted.status, posted.body) == (200, b"")
    assert [(r.sharer, r.level, r.source, r.measured_ms) for r in service.log.readings()] == [(7, 97, 3, NOW)]


async def test_the_uploader_of_xdrip4ios_sends_hours_at_once_and_again(service: Service) -> None:
    who = {"accountName": ANA.name, "password": PASSWORD, "applicationId": APP}
    account = await service.string("General/AuthenticatePublisherAccount", who)
    login = {"accountId": account, "password": PASSWORD, "applicationId": APP}
    session = await service.string("General/LoginPublisherAccountById", login)
    batch = [egv(100.0 + n, NOW - n * 5 * MIN, direction="Flat", Trend="Flat") for n in range(96)]

    first = await service.post(session, *batch)
    again = await service.post(session, *batch[:6])

    assert (first.status, first.body, again.status, again.body) == (200, b"", 200, b"")
    assert len(service.log.readings()) == 96


async def test_pydexcom_reads_the_newest(service: Service) -> None:
    session = await service.log_in()
    await service.post(session, egv(97, NOW), egv(95, NOW - 5 * MIN, Trend="FortyFiveUp"))

    newest = await service.read(session, minutes="10", maxCount="1")

    assert newest == [
        {
            "WT": f"Date({NOW})",
            "ST": f"Date({NOW})",
            "DT": f"Date({NOW}-0400)",
            "Value": 97,
            "Trend": "Flat",
        }
    ]


async def test_nightscout_connect_asks_for_too_much_and_gets_a_day(service: Service) -> None:
    session = await service.log_in()
    await service.post(session, *[egv(100, NOW - n * 5 * MIN) for n in range(300)])

    query = {"sessionID": session, "minutes": "2880", "maxCount": "576", "applicationId": APP}
    answer = await service.call("Publisher/ReadPublisherLatestGlucoseValues", b"", **query)

    assert len(json.loads(answer.body)) == 288


async def test_dexcom_share_api_sends_its_parameters_as_body(service: Service) -> None:
    session = await service.log_in()
    await service.post(session, egv(97), egv(98, NOW - 5 * MIN))

    asked = {"maxCount": 1, "minutes": 1440, "sessionId": session}
    answer = await service.call("Publisher/ReadPublisherLatestGlucoseValues", asked)

    assert [record["Value"] for record in json.loads(answer.body)] == [97]


@pytest.mark.parametrize("body", [b"", b"{}", b'""', b"null", b"[]", b"\xff", b"garbage"])
async def test_stray_bodies_do_not_disturb_a_read(service: Service, body: bytes) -> None:
    session = await service.log_in()

    answer = await service.call("publisher/READPublisherLatestGlucoseValues", body, SESSIONID=session)

    assert (answer.status, answer.body) == (200, b"[]")


@pytest.mark.parametrize("query", [{"minutes": "0"}, {"maxCount": "0"}, {"minutes": "-1"}])
async def test_asking_for_nothing_gives_nothing(service: Service, query: dict[str, str]) -> None:
    session = await service.log_in()
    await service.post(session, egv(97))

    assert await service.read(session, **query) == []


@pytest.mark.parametrize(
    ("method", "body"),
    [
        ("Publisher/IsRemoteMonitoringSessionActive", b"true"),
        ("Publisher/StartRemoteMonitoringSession", b""),
        ("Publisher/StopRemoteMonitoringSession", b""),
        ("Publisher/CheckMonitoredReceiverAssignmentStatus", b'"AssignedToYou"'),
        ("Publisher/ReplacePublisherAccountMonitoredReceiver", b""),
        ("Publisher/UpdatePublisherAccountRuntimeInfo", b""),
        ("Publisher/ListPublisherAccountSubscriptions", b"[]"),
        ("Publisher/DoesContactExistByName", b"false"),
    ],
)
async def test_every_other_method_answers_a_session_and_refuses_none(
    service: Service, method: str, body: bytes
) -> None:
    session = await service.log_in()

    in_body = {"sessionId": session, "runtimeInfo": {"AppName": "DexcomShare"}}
    answer = await service.call(method, in_body)

    assert (answer.status, answer.body) == (200, body)
    assert fault(await service.call(method, sessionId=UNKNOWN)).code == "SessionIdNotFound"


async def test_the_time_of_day_needs_no_session(service: Service) -> None:
    as_json = await service.call("General/SystemUtcTime", verb="GET", accept="application/json")
    as_xml = await service.call("General/SystemUtcTime", verb="GET")

    assert as_json.body == b'{"DateTime":"\\/Date(%d)\\/","OffsetMinutes":0}' % NOW
    assert as_xml.headers[0] == (b"content-type", b"application/xml; charset=utf-8")


async def test_an_unknown_method_is_a_fault(service: Service) -> None:
    assert fault(await service.call("General/CreateAccount")).code == "InvalidOperation"
    assert fault(await service.call("")).code == "InvalidOperation"


# What is uploaded


async def test_low_high_and_error_codes_are_told_apart(service: Service) -> None:
    session = await service.log_in()
    values = [39, 401, 12, 112.0, None, "x"]

    answer = await service.post(session, *[egv(value, NOW - n * 5 * MIN) for n, value in enumerate(values)])

    assert answer.status == 200
    assert [r.level for r in service.log.readings()] == [CENSORED_LOW, CENSORED_HIGH, 112]
    assert [record["Value"] for record in await service.read(session)] == [39, 401, 112]


async def test_what_was_uploaded_late_is_read_back_at_once(service: Service) -> None:
    session = await service.log_in()

    await service.post(session, egv(90, NOW - 120 * MIN))

    assert [record["Value"] for record in await service.read(session)] == [90]


async def test_a_day_a_minute_apart_is_taken_in_one_upload(service: Service) -> None:
    session = await service.log_in()

    answer = await service.post(session, *[egv(100, NOW - n * MIN) for n in range(1440)])

    assert answer.status == 200
    assert len(service.log.readings()) == 1440


@pytest.mark.parametrize("body", [b"", b'""', b"{}", b'{"Egvs":5}', b"\xff", b" " * (BODY_BYTES_MAX + 1)])
async def test_what_is_no_upload_is_a_fault_and_nothing_is_kept(service: Service, body: bytes) -> None:
    session = await service.log_in()

    answer = await service.call("Publisher/PostReceiverEgvRecords", body, sessionId=session)

    assert fault(answer).code == "InvalidArgument"
    assert service.log.groups == []


async def test_an_upload_without_a_session_keeps_nothing(service: Service) -> None:
    answer = await service.post(UNKNOWN, egv(97))

    assert fault(answer).code == "SessionIdNotFound"
    assert service.log.groups == []


# When we are at fault


async def test_a_full_lane_is_a_fault_that_no_client_takes_for_a_lost_session(service: Service) -> None:
    session = await service.log_in()
    service.log.live_max = 0

    answer = await service.post(session, egv(97))

    assert fault(answer).code == "ServiceBusy"
    assert service.now_ms - NOW >= 5_000


async def test_a_reader_that_may_not_see_any_more_has_no_session(service: Service) -> None:
    session = await service.log_in()
    service.reads.withdrawn = True

    answer = await service.call("Publisher/ReadPublisherLatestGlucoseValues", b"", sessionId=session)

    assert fault(answer).code == "SessionIdNotFound"


async def test_an_overloaded_sign_in_is_a_fault(service: Service) -> None:
    service.accounts.overloaded = True
    body = {"accountName": ANA.name, "password": PASSWORD}

    assert fault(await service.call("General/LoginPublisherAccountByName", body)).code == "ServiceBusy"


async def test_under_load_an_upload_is_busy_and_its_live_readings_are_kept(service: Service) -> None:
    session = await service.log_in()
    admission = Admission(ManualClock(NOW))
    admission.take(Level(SHED_LOWER, "loop_lag_ms"))
    service.dialect._publish._admission = service.dialect._admission = admission

    answer = await service.post(session, egv(97), egv(90, NOW - 120 * MIN))

    assert fault(answer).code == "ServiceBusy"
    assert [one.level for one in service.log.readings()] == [97]


async def test_of_a_days_upload_the_newest_readings_do_not_wait_for_the_older_ones(service: Service) -> None:
    session = await service.log_in()
    service.log.backfill_max = 0

    answer = await service.post(session, *(egv(100 + at % 50, NOW - at * MIN) for at in range(1_000, 0, -1)))

    assert fault(answer).code == "ServiceBusy"
    assert len(service.log.readings()) == 15
