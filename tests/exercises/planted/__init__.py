"""Wrong solutions of every exercise, a module each named as the exercise.

Its `PLANTED` says, for each wrong solution, what is wrong with it, and words that the verdict must say of it.
"""
