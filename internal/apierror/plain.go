package apierror

import "strconv"

// plain is fmt.Sprintf for %s and %q of texts, which is all that the filter's errors need.
func plain(format string, args ...any) string {
	out := make([]byte, 0, 256)
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			out = append(out, format[i])
			continue
		}
		i++
		if format[i] == '%' {
			out = append(out, '%')
			continue
		}
		arg := ""
		if len(args) > 0 {
			arg, _ = args[0].(string)
			args = args[1:]
		}
		if format[i] == 'q' {
			out = strconv.AppendQuote(out, arg)
		} else {
			out = append(out, arg...)
		}
	}
	return string(out)
}
