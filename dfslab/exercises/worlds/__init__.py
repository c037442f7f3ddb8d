"""The worlds in which submissions are tried: small, in virtual time, each made from a seed."""
