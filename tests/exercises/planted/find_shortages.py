"""Counts of the wrong copies."""


def counted(files, rows, wanted):
    live = dict.fromkeys(files, 0)
    for row in rows:
        live[row["file_name"]] += 1
    return {file: wanted - count for file, count in live.items() if count < wanted}


def all_rows(files, rows, wanted):
    return counted(files, rows, wanted)


def whatever_their_state(files, rows, wanted):
    return counted(files, [row for row in rows if row["is_alive"]], wanted)


def on_whatever_keeper(files, rows, wanted):
    return counted(files, [row for row in rows if row["state"] == "valid"], wanted)


def only_who_has_rows(files, rows, wanted):
    good = [row for row in rows if row["is_alive"] and row["state"] == "valid"]
    seen = {row["file_name"] for row in rows}
    return counted([file for file in files if file in seen], good, wanted)


def only_who_has_good_rows(files, rows, wanted):
    good = [row for row in rows if row["is_alive"] and row["state"] == "valid"]
    return counted({row["file_name"] for row in good}, good, wanted)


def three_always(files, rows, wanted):
    return counted(files, [row for row in rows if row["is_alive"] and row["state"] == "valid"], 3)


def what_is_there(files, rows, wanted):
    good = [row for row in rows if row["is_alive"] and row["state"] == "valid"]
    return {file: wanted - lack for file, lack in counted(files, good, wanted).items()}


def everything(files, rows, wanted):
    good = [row for row in rows if row["is_alive"] and row["state"] == "valid"]
    return {file: wanted - sum(row["file_name"] == file for row in good) for file in files}


def names_only(files, rows, wanted):
    good = [row for row in rows if row["is_alive"] and row["state"] == "valid"]
    return list(counted(files, good, wanted))


PLANTED = {
    "counts every row": (all_rows, "valid, keeper dead"),
    "counts damaged copies": (whatever_their_state, "corrupt"),
    "counts copies on dead keepers": (on_whatever_keeper, "valid, keeper dead"),
    "forgets files without a row": (only_who_has_rows, "It has no row at all"),
    "forgets files without a good copy": (only_who_has_good_rows, "on live keepers: 0"),
    "wants three always": (three_always, "wanted: 2"),
    "tells how many there are": (what_is_there, "your dict says"),
    "has the others in it, too": (everything, "it lacks none and should be left out"),
    "returns names only": (names_only, "a dict is asked for"),
}
