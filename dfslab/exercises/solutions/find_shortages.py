"""Which files are short of copies."""


def find_shortages(files, rows, wanted):
    live = dict.fromkeys(files, 0)
    for row in rows:
        if row["is_alive"] and row["state"] == "valid":
            live[row["file_name"]] += 1
    return {file: wanted - count for file, count in live.items() if count < wanted}


SOLUTION = find_shortages
