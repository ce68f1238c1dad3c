"""One published system a file: which parts, wired how, trained how."""
