"""Copies of watched pages, to be read while the originals are down.

    /watch/NAME                the copy made plain, with what it is a copy of; ?before=1 for the earlier one
    /watch/NAME/copy.warc.gz   the copy itself, to be taken away

What a copy says is somebody else's, and whoever took that page over may have written it. Only plain words of it go into
the page, and the policy sent along makes of the whole page a sandbox: no script, no form, no frame, no request but for
our stylesheet, and an origin that is not the admin port's.
"""

import asyncio
from collections.abc import Sequence
from time import gmtime, strftime, time

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

from tidegate.watch.reading import Readable, readable
from tidegate.watch.warc import CopiedPage
from tidegate.web.pages import Door, Frame, page
from tidegate.web.watch_control import WatchesView

PATH = "/watch"
SANDBOX = {
    "Content-Security-Policy": "sandbox; default-src 'none'; style-src 'self'; form-action 'none'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "X-DNS-Prefetch-Control": "off",
    "Referrer-Policy": "no-referrer",
}
READ_AT_ONCE = 2


def watch_page_routes(view: WatchesView, doors: Sequence[Door] = ()) -> list[Route]:
    """To be served by the desk's socket. `doors`: other pages beside these."""
    places = asyncio.Semaphore(READ_AT_ONCE)

    async def copy(request: Request) -> Response:
        name, before = request.path_params["name"], "before" in request.query_params
        try:
            watch = view.watch(name)
            async with places:
                copied = await view.copied(name, before=before)
                read = await asyncio.to_thread(readable, copied)
        except KeyError:
            return PlainTextResponse("there is no watch of that name\n", 404, SANDBOX)
        except FileNotFoundError:
            return PlainTextResponse("no copy is kept of that page\n", 404, SANDBOX)
        except OSError as error:
            return PlainTextResponse(f"the copy cannot be read: {error}\n", 500, SANDBOX)
        note = "Nothing on this page was fetched for it, and nothing of the copy runs."
        return page(
            "copy.html",
            Frame(doors, note=note),
            headers=SANDBOX,
            watch=watch,
            copied=copied,
            text=read.text,
            cut=read.cut,
            plain=_markup(read),
            title=_title(copied, read),
            before=before,
            now=time(),
        )

    async def warc(request: Request) -> Response:
        name, before = request.path_params["name"], "before" in request.query_params
        try:
            path, watch = view.copy_path(name, before=before), view.watch(name)
        except (KeyError, FileNotFoundError):
            return PlainTextResponse("no copy is kept of that page\n", 404, SANDBOX)
        note = watch.before if before else watch.copy
        stamp = strftime("-%Y%m%dT%H%M%SZ", gmtime(note.taken_at)) if note is not None else ""
        file_name = f"{name}{stamp}.warc.gz"
        return FileResponse(path, media_type="application/gzip", filename=file_name, headers=SANDBOX)

    return [
        Route(PATH + "/{name}", copy, methods=["GET"]),
        Route(PATH + "/{name}/copy.warc.gz", warc, methods=["GET"]),
    ]


def _markup(read: Readable) -> object:
    from markupsafe import Markup

    # Tags of ours without attributes, and text that is escaped: `watch.plain` makes nothing else.
    return None if read.page is None else Markup(read.page.markup)  # noqa: S704  # as the line above says


def _title(copied: CopiedPage, read: Readable) -> str:
    return (read.page.title if read.page is not None else "") or copied.asked
