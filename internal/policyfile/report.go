package policyfile

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Write prints the report: one line for each case, and below a case that failed what was wanted and what came.
func (r Report) Write(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, result := range r.Results {
		mark := "ok"
		if len(result.Differs) > 0 {
			mark = "FAIL"
		}
		status := "-"
		if result.Status != 0 {
			status = fmt.Sprint(result.Status)
		}
		// A tab-terminated cell is part of a column, so the last one has no tab behind it.
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", mark, oneLine(result.Case.Name), result.Action, result.Rule, status)
		for _, d := range result.Differs {
			_, _ = fmt.Fprintf(table, "\t  %s: want %s\n\t  %s  got  %s\n", d.What, oneLine(d.Want), strings.Repeat(" ", len(d.What)), oneLine(d.Got))
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if len(r.Unasked) > 0 {
		if _, err := fmt.Fprintf(w, "\nrules that no case reaches: %s\n", strings.Join(r.Unasked, ", ")); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "\n%d cases, %d failed\n", len(r.Results), r.Failed)
	return err
}

func oneLine(s string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f {
			return ' '
		}
		return c
	}, s)
}
