std = "lua54"
max_line_length = 100
globals = { "marea" }
files["spec"] = { std = "lua54+busted" }
