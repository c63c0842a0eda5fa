"""What governs the answers that others' clients ask for."""

from typing import Annotated

from msgspec import Meta, Struct

from tidegate.answers.age import REFUSE_AFTER_S


class AnswersSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[answers]`: notices, CVEs and the vendors' files, as scanners and people ask for them."""

    refuse_after_s: Annotated[
        int,
        Meta(
            ge=0,
            description="how long feeds may have been too old to be believed (fleet.feed_confirmed_max_s,"
            " fleet.feed_published_max_s), before clients that do not show an answer's age get none (503)",
        ),
    ] = REFUSE_AFTER_S
