"""The reference solutions, a module each named as the exercise; the students' build leaves this package out.

Nothing of dfslab imports it, except what builds and tests the course.
"""
