from toolflow_graph.by_identity import remember_by_identity


def test_an_object_is_worked_on_once_and_its_equal_anew():
    seen = []

    @remember_by_identity()
    def count(source):
        seen.append(source)
        return len(source)

    first, equal = {"a": 1}, {"a": 1}
    assert [count(first), count(first), count(equal), count(first)] == [1, 1, 1, 1]
    assert seen == [{"a": 1}, {"a": 1}]


def test_no_more_objects_are_held_than_said():
    derived = []
    remember = remember_by_identity(3)(lambda source: derived.append(source[0]) or source)
    held = [[n] for n in range(4)]
    for source in held[:3] * 2:
        assert remember(source) is source
    assert derived == [0, 1, 2]
    remember(held[3])  # one too many: the others are let go
    remember(held[0])
    assert derived == [0, 1, 2, 3, 0]


def test_another_object_in_the_same_place_of_memory_is_another():
    remember = remember_by_identity()(lambda source: source[0])
    for n in range(1000):  # each list would stand where the one before stood
        assert remember([n]) == n
