package main

import (
	"cmp"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/inference-gateway/envoy-inference-gateway/internal/access"
	"github.com/inference-gateway/envoy-inference-gateway/internal/config"
)

const keysUsage = `usage: inference-gateway keys create ID [flags] | list | revoke ID

  create   make a key and print it: this once, since the file holds only its hash
  list     print the keys of the file and what has become of them
  revoke   refuse a key from now on

The file is the one of API_KEYS_FILE, or of --file. A gateway that runs reads it again by itself.

flags of create:
  --owner TEXT     whose it is
  --group NAME     a group of its caller; may be repeated
  --expires WHEN   2027-01-31, 2027-01-31T12:00:00Z, or in so many days or hours: 90d, 12h
  --model NAME     a model that it may use, * for any characters; may be repeated; none: all that its groups may
  --max-tokens N   the longest answer that it may ask for
  --limit WHAT     how much it may use: requests/minute=60, tokens/day=100000; may be repeated
`

// keysCommand edits or shows the file of API keys.
func keysCommand(args []string, stdout, stderr io.Writer) int {
	verb, id := "", ""
	if len(args) > 0 {
		verb, args = args[0], args[1:]
	}
	if (verb == "create" || verb == "revoke") && len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		id, args = args[0], args[1:]
	}
	flags := flag.NewFlagSet("keys", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	file := flags.String("file", "", "")
	k := access.NewKey{Key: access.Key{ID: id, Created: time.Now().UTC().Truncate(time.Second)}}
	if verb == "create" {
		flags.StringVar(&k.Owner, "owner", "", "")
		flags.Func("group", "", func(s string) error { k.Groups = append(k.Groups, s); return nil })
		flags.Func("model", "", func(s string) error { k.Models = append(k.Models, s); return nil })
		flags.Int64Var(&k.MaxTokens, "max-tokens", 0, "")
		flags.Func("limit", "", k.AddLimit)
		flags.Func("expires", "", func(s string) (err error) { k.Expires, err = expiry(s, k.Created); return err })
	}
	err := flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp), verb == "help", verb == "--help", verb == "-h":
		_, _ = io.WriteString(stdout, keysUsage)
		return exitOK
	case verb != "create" && verb != "list" && verb != "revoke":
		return keysMisuse(stderr, "create, list or revoke?")
	case err != nil:
		return keysMisuse(stderr, err.Error())
	case flags.NArg() > 0:
		return keysMisuse(stderr, "unexpected argument "+flags.Arg(0))
	case verb != "list" && id == "":
		return keysMisuse(stderr, verb+" needs the id of a key")
	}
	path := *file
	if path == "" {
		path, err = config.KeysFile()
	}
	if err == nil && path == "" {
		return keysMisuse(stderr, "which file? Set API_KEYS_FILE, or name it with --file")
	}
	if err == nil {
		err = keysVerb(verb, path, k, stdout)
	}
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "keys: %v\n", err)
		return exitConfig
	}
	return exitOK
}

func keysMisuse(stderr io.Writer, problem string) int {
	_, _ = fmt.Fprintf(stderr, "inference-gateway keys: %s\n\n%s", problem, keysUsage)
	return exitNotStart
}

func keysVerb(verb, path string, k access.NewKey, stdout io.Writer) error {
	switch verb {
	case "create":
		var random [32]byte
		_, _ = rand.Read(random[:]) // never fails: the program ends first
		k.Credential = access.Credential(random)
		err := edit(path, func(content []byte) ([]byte, error) { return access.Add(content, k) })
		if err == nil {
			_, err = fmt.Fprintln(stdout, k.Credential)
		}
		return err
	case "revoke":
		return edit(path, func(content []byte) ([]byte, error) { return access.Revoke(content, k.ID, time.Now()) })
	default:
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		table, err := access.Load(&access.Source{Name: path, Content: content}, nil)
		if err != nil {
			return err
		}
		return listKeys(stdout, table.Keys(), time.Now())
	}
}

// expiry reads a time of a file, or a span from now on.
func expiry(s string, now time.Time) (time.Time, error) {
	if days, err := strconv.ParseUint(strings.TrimSuffix(s, "d"), 10, 16); err == nil && days > 0 && strings.HasSuffix(s, "d") {
		return now.AddDate(0, 0, int(days)), nil
	}
	if span, err := time.ParseDuration(s); err == nil && span > 0 {
		return now.Add(span), nil
	}
	t, err := access.ParseTime(s)
	if err != nil || !t.After(now) {
		return time.Time{}, errors.New("a time to come such as 2027-01-31, 90d or 12h")
	}
	return t, nil
}

func listKeys(w io.Writer, keys []access.Key, now time.Time) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "ID\tSTATE\tEXPIRES\tGROUPS\tOWNER") // a tabwriter keeps its error for Flush
	for _, k := range keys {
		state, expires := "good", "never"
		if !k.Expires.IsZero() {
			expires = k.Expires.UTC().Format(time.RFC3339)
			if !now.Before(k.Expires) {
				state = "expired"
			}
		}
		if !k.Revoked.IsZero() && !now.Before(k.Revoked) {
			state = "revoked"
		}
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", k.ID, state, expires, cmp.Or(strings.Join(k.Groups, ", "), "-"), cmp.Or(k.Owner, "-"))
	}
	return table.Flush()
}
