//go:build !wasip1

package apierror

import "fmt"

func text(format string, args ...any) string { return fmt.Sprintf(format, args...) }
