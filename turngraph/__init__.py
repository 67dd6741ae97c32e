"""One chat turn as a LangGraph graph: every stage visible, typed, metered, resumable."""

import lazy_loader

_load, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    try:
        return _load(name)
    except ModuleNotFoundError as error:
        # Python looks into the current folder first, and there `turngraph/` may be this file alone.
        if not (error.name or "").startswith(f"{__name__}."):
            raise
        raise ImportError(
            f"Only a part of turngraph was found, in {__path__[0]}: this folder of a clone hides "
            "the installed package. Run `make install` or `pip install -e .` in the clone, or "
            "start Python in another folder."
        ) from error
