module falconinterop

go 1.19
