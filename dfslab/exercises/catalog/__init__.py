"""The exercises of the course: a module each, whose `EXERCISE` says what is asked for and how it is judged."""
