package tools

import "unicode/utf8"

// cutMark tells a model that it does not see everything.
const cutMark = "… [cut]"

// cut shortens a text to about so many bytes, between characters.
func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	end := most
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + cutMark
}
