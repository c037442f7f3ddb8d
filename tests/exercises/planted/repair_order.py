"""Orders that put the wrong thing first."""


class OldestFirst:
    def key(self, shortage):
        return (shortage.since_s,)


class SmallestFirst:
    def key(self, shortage):
        return (shortage.size, shortage.live, shortage.since_s)


class FewestMissingFirst:
    def key(self, shortage):
        return (shortage.wanted - shortage.live, shortage.size, shortage.since_s)


class LargestFirst:
    def key(self, shortage):
        return (shortage.live, -shortage.size, shortage.since_s)


class NewestFirst:
    def key(self, shortage):
        return (shortage.live, shortage.size, -shortage.since_s)


class LiveOnly:
    def key(self, shortage):
        return (shortage.live,)


class OneNumber:
    def key(self, shortage):
        return (shortage.live * 10_000_000 + shortage.size + shortage.since_s,)


class NoTuple:
    def key(self, shortage):
        return shortage.live


class ByName:
    def key(self, shortage):
        return (shortage.live, shortage.name)


PLANTED = {
    "repairs in the order of arrival": (OldestFirst, "a file with fewer live copies goes first"),
    "looks at the size first": (SmallestFirst, "a file with fewer live copies goes first"),
    "takes few missing copies for urgent": (FewestMissingFirst, "a file with fewer live copies goes first"),
    "repairs the large ones first": (LargestFirst, "the smaller goes first"),
    "repairs the newest first": (NewestFirst, "the one that has been short for longest goes first"),
    "looks at live copies only": (LiveOnly, "the smaller goes first"),
    "adds up what can't be added": (OneNumber, "a file with fewer live copies goes first"),
    "returns no tuple": (NoTuple, "a key is a tuple of numbers"),
    "sorts by name": (ByName, "a key is a tuple of numbers"),
}
