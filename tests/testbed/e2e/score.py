print("nothing is scored yet")
