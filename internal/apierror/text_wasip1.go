package apierror

// text is without fmt, whose code is a tenth of what V8 would compile at every start.
func text(format string, args ...any) string { return plain(format, args...) }
