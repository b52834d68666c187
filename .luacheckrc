std = "lua54"
max_line_length = 120
globals = { "marea" }
files["spec"] = { std = "lua54+busted" }
files["scripts"] = { allow_defined_top = false }
