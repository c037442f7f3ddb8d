"""What is nearest to being lost first; then what is repaired soonest."""


class MyOrder:
    def key(self, shortage):
        return (shortage.live, shortage.size, shortage.since_s)


SOLUTION = MyOrder
