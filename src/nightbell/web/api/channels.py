"""What providers post to us about what we sent: it arrived, somebody looked, somebody has it."""

from typing import Annotated, Any

from litestar import Controller, Response, post
from litestar.params import PathParameter

from nightbell.tell.callback import BODY_BYTES_MAX, Callback
from nightbell.web.asking import AnyRequest, InHouse

ChannelName = Annotated[str, PathParameter(description="Name of the channel, as `sms`.", max_length=32)]


class ChannelsApi(Controller):
    """Callbacks of providers. Each proves itself; whoever cannot changes nothing."""

    path = "/v1/channels"
    tags = ("channels",)

    @post("/{name:str}", status_code=200, operation_id="callback", include_in_schema=False)
    async def callback(self, house: InHouse, request: AnyRequest, name: ChannelName) -> Response[Any]:
        """Take what a provider posted; it is written down before this answers, so that it may come again."""
        body = await request.body()
        if len(body) > BODY_BYTES_MAX:
            return Response(b"", status_code=413, media_type="text/plain")
        query = request.url.query
        url = f"{house.place.public_url}/v1/channels/{name}{'?' if query else ''}{query}"
        headers = {key.lower(): value for key, value in request.headers.items()}
        answer = await house.callback(name, Callback(url, headers, body, house.clock.now_ms()))
        return Response(answer.body, status_code=answer.status, media_type=answer.content_type)
