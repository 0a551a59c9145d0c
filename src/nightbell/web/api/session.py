"""Signing in and out, and oneself."""

from litestar import Controller, Response, get, post, put
from litestar.params import JSONBody

from nightbell.web.api.forms import grant_out, me_out
from nightbell.web.asking import AnyRequest, InAsking, InHouse, headers_of
from nightbell.web.guard import bearer_of, caller_of, check_sent_by_us, grant_cookies, peer_of
from nightbell.web.wire import Done, Grant, Me, MeChange, SignIn
from nightbell.words.errors import CallerError, ErrorCode


class SessionApi(Controller):
    """Grants, and the person who holds one."""

    path = "/v1"
    tags = ("session",)

    @post("/sign-in", status_code=200, operation_id="sign_in", security=[])
    async def sign_in(self, request: AnyRequest, house: InHouse, data: JSONBody[SignIn]) -> Grant:
        """Give a device a grant for a name and a password. Wrong ones bring delay, never a lock."""
        check_sent_by_us(headers_of(request), request.method, house, by_cookie=False)
        signed_in = await house.accounts.sign_in(
            name=data.name,
            password=data.password,
            device=data.device,
            peer=peer_of(request.scope),
            now_ms=house.clock.now_ms(),
        )
        return grant_out(signed_in, by_cookie=False)

    @post("/sign-out", status_code=200, operation_id="sign_out")
    async def sign_out(self, house: InHouse, asking: InAsking) -> Response[Done]:
        """Withdraw the grants of this device, for good."""
        await house.accounts.sign_out(asking.caller.bearer, asking.now_ms)
        cookies = grant_cookies(None, house, asking.now_ms) if asking.caller.by_cookie else []
        return Response(Done(), cookies=cookies)

    @post("/grants/renew", status_code=200, operation_id="renew_grant")
    async def renew(self, request: AnyRequest, house: InHouse) -> Response[Grant]:
        """A new grant for a device that holds one; the old one stays good until it runs out."""
        headers, now_ms = headers_of(request), house.clock.now_ms()
        bearer, by_cookie = bearer_of(headers)
        caller = caller_of(headers, house, now_ms)
        if caller is None:
            raise CallerError(ErrorCode.NOT_SIGNED_IN, house.words.say("errors.not_signed_in"))
        check_sent_by_us(headers, request.method, house, by_cookie=by_cookie)
        signed_in = await house.accounts.renew(bearer, now_ms)
        cookies = grant_cookies(signed_in, house, now_ms) if by_cookie else []
        return Response(grant_out(signed_in, by_cookie=by_cookie), cookies=cookies)

    @get("/me", operation_id="me")
    async def me(self, asking: InAsking) -> Me:
        """The person who asks."""
        return me_out(asking.caller.person)

    @put("/me", operation_id="change_me")
    async def change_me(self, house: InHouse, asking: InAsking, data: JSONBody[MeChange]) -> Me:
        """Change unit, time zone or e-mail. Hours of alarms follow the zone at once."""
        person = await house.accounts.set_person(
            asking.caller.person.id,
            now_ms=asking.now_ms,
            email=data.email,
            unit=data.unit,
            zone=data.zone,
            webhook=data.webhook,
        )
        return me_out(person)
