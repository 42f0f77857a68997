"""From `module:callable` to the application."""

import ast
import importlib
import inspect
from collections.abc import Callable
from typing import Any

from wasgi.build.config import BuildError
from wasgi.build.explain import explain

Application = Callable[..., Any]


def load(spec: str) -> Application:
    """Imports the application; `module:factory()` calls a factory, with literals as arguments if it takes some.

    Raises `BuildError`, which says what to mend.
    """
    module_name, colon, expression = spec.partition(":")
    if not colon or not module_name or not expression:
        raise BuildError(f"{spec!r} names no application: write module:callable, such as mysite.wsgi:application")
    module = _import(module_name)
    name, arguments, named = _parse(spec, expression)
    value = module
    for part in name.split("."):
        if not hasattr(value, part):
            raise BuildError(f"{_file(module)} has no {name!r}{_suggestion(module, module_name)}")
        value = getattr(value, part)
    if arguments is not None:
        if not callable(value):
            raise BuildError(
                f"{name!r} in {_file(module)} is no factory but {_kind(value)}: write {module_name}:{name}"
            )
        value = guarded(f"{name}() of {_file(module)}", lambda: value(*arguments, **named))
    if not callable(value):
        raise BuildError(
            f"{name!r} in {_file(module)} is {_kind(value)}, which cannot be called{_suggestion(module, module_name)}"
        )
    if arguments is None and _is_factory(value):
        raise BuildError(
            f"{name!r} in {_file(module)} takes no arguments, so it is a factory: write {module_name}:{name}()"
        )
    return value


def is_asgi(application: Application) -> bool:
    """Whether the callable is one of ASGI: a coroutine function of (scope, receive, send)."""
    return inspect.iscoroutinefunction(application) or inspect.iscoroutinefunction(
        getattr(application, "__call__", None)
    )


def guarded(what: str, action: Callable[[], Any]) -> Any:
    """Runs code of the application; whatever it raises becomes a `BuildError`."""
    try:
        return action()
    except BuildError:
        raise
    except BaseException as error:
        raise BuildError(explain(what, error)) from error


def _import(name: str) -> Any:
    return guarded(f"the module {name}", lambda: importlib.import_module(name))


def _parse(spec: str, expression: str) -> tuple[str, list[Any] | None, dict[str, Any]]:
    """The dotted name, and the arguments of a factory."""
    wrong = BuildError(f"{spec!r} is not understood: write module:callable or module:factory()")
    try:
        tree = ast.parse(expression, mode="eval").body
        if isinstance(tree, ast.Call):
            arguments = [ast.literal_eval(argument) for argument in tree.args]
            named = {keyword.arg or "": ast.literal_eval(keyword.value) for keyword in tree.keywords}
            return ast.unparse(tree.func), arguments, named
    except (SyntaxError, ValueError):
        raise wrong from None
    if not isinstance(tree, ast.Name | ast.Attribute):
        raise wrong
    return expression, None, {}


def _is_factory(value: Application) -> bool:
    if inspect.isclass(value):
        return False
    try:
        signature = inspect.signature(value)
    except (TypeError, ValueError):
        return False
    try:
        signature.bind(None, None)
    except TypeError:
        return not [p for p in signature.parameters.values() if p.default is p.empty]
    return False


def _suggestion(module: Any, module_name: str) -> str:
    """What in the module may have been meant."""
    found = [name for name in ("application", "app", "api", "wsgi", "asgi") if callable(getattr(module, name, None))]
    found += [
        f"{name}()"
        for name in ("create_app", "make_app", "get_wsgi_application")
        if callable(getattr(module, name, None))
    ]
    if not found:
        return ": define it, or name another module"
    return ": did you mean " + " or ".join(f"{module_name}:{name}" for name in found) + "?"


def _file(module: Any) -> str:
    from wasgi.faults import shown

    return shown(getattr(module, "__file__", None) or module.__name__)


def _kind(value: Any) -> str:
    return "None" if value is None else f"a {type(value).__name__}"
