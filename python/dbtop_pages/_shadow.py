"""Puts functions of ours before the methods of one pool, and leaves all other pools alone."""

def is_watched(thing):
    return getattr(thing, "_dbtop_page", None) is not None


def require(cls, *names):
    """Pools are watched by methods that are not all public: a version without them is refused."""
    for name in names:
        if not hasattr(cls, name):
            raise TypeError(f"dbtop_pages does not know this version of {cls.__module__}: it has no {name}()")


def shadow_methods(pool, functions, page):
    """As attributes of the instance: a change of its class would make every access to its attributes slower."""
    for function in functions:
        setattr(pool, function.__name__, function)
    pool._dbtop_page = page


def swap_class(thing, functions, page):
    """For a thing with __slots__: it becomes an instance of a subclass that has the functions as methods."""
    cls = type(thing)
    names = {"__slots__": (), "__module__": cls.__module__, "__qualname__": cls.__qualname__, "__doc__": cls.__doc__}
    methods = {function.__name__: function for function in functions}
    thing.__class__ = type(cls)(cls.__name__, (cls,), {**names, **methods, "_dbtop_page": page})
