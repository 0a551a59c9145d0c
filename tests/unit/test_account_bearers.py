"""Who a bearer is: the door asks for two numbers, everybody else for an identity, and both hear the same."""

from nightbell.account.identity import FOLLOW, PUBLISH, Identity, Uploader
from tests.household import ANAS_PASSWORD, BENS_PASSWORD, DAY_MS, NOW_MS, Cast


def may_upload(identity: Identity | None) -> Uploader | None:
    """What an identity says of uploading."""
    if identity is None or PUBLISH not in identity.scopes or identity.sharer < 0:
        return None
    return Uploader(identity.sharer, identity.credential)


async def given_out(cast: Cast) -> list[str]:
    """One bearer of every kind: of Ana and Ben, good and withdrawn, and one that nobody gave out."""
    accounts = cast.accounts
    keys = [
        await accounts.add_key(person_id=who.id, scope=scope, label="", now_ms=NOW_MS)
        for who, scope in ((cast.ana, PUBLISH), (cast.ana, PUBLISH), (cast.ana, FOLLOW), (cast.ben, FOLLOW))
    ]
    await accounts.revoke_key(key_id=keys[0].id, now_ms=NOW_MS)
    bearers = [key.secret for key in keys]
    for name, password in (("Ana", ANAS_PASSWORD), ("Ana", ANAS_PASSWORD), ("Ben", BENS_PASSWORD)):
        signed_in = await accounts.sign_in(
            name=name, password=password, device="phone", peer="home", now_ms=NOW_MS
        )
        bearers.append(signed_in.token)
    await accounts.sign_out(bearers[4], NOW_MS)
    # As good by its signature:
    without_its_tag, with_another = bearers[5].rpartition(".")[0], bearers[5] + "x"
    return [*bearers, without_its_tag, with_another, bearers[1] + "x", "nbk_", "nbg1.", "nbk_\ud800", ""]


async def test_the_door_hears_of_every_bearer_what_everybody_hears(cast: Cast) -> None:
    bearers = await given_out(cast)

    for accounts in (cast.accounts, (await cast.house.restarted()).accounts):
        for at_ms in (NOW_MS, NOW_MS + 31 * DAY_MS):
            said = [accounts.uploader(bearer, at_ms) for bearer in bearers]
            assert said == [may_upload(accounts.identify(bearer, at_ms)) for bearer in bearers]
        assert sum(accounts.uploader(bearer, NOW_MS) is not None for bearer in bearers) == 4
