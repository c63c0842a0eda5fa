"""The keeper's houses and sources, in which what is held comes and goes."""

from tests.keeper.conftest import no_lingering, pytest_pyfunc_call, serve

__all__ = ["no_lingering", "pytest_pyfunc_call", "serve"]
