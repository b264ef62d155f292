package config

import (
	"errors"
	"strings"

	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
)

const (
	urlDoc  = "Base URL of the provider's API."
	demoDoc = "Switches the embedded demo provider on or off; unset: on when no other provider is ready."
)

var providersRow = row("PROVIDERS", "", list, func(c *Config) *[]string { return new([]string) },
	"Names of own providers, each with `<NAME>_API_URL` and the variables below: another server, or a second key of the same one.")

// draft is a provider while its variables are read.
type draft struct {
	Provider
	enabled bool
	account string
}

// urlRow and the others below are the variables that one provider brings.
func urlRow(d *draft) variable {
	return row(upper(d.ID)+"_API_URL", d.BaseURL, template, func(*Config) *string { return &d.BaseURL }, urlDoc)
}

func keyRow(d *draft) variable {
	return row(upper(d.ID)+"_API_KEY", "", secret, func(*Config) *Secret { return &d.Key },
		"Key of the provider's API; local and own providers work without.")
}

func enabledRow(d *draft, def string) variable {
	return row(upper(d.ID)+"_ENABLED", def, toggle, func(*Config) *bool { return &d.enabled },
		"Switches the provider off although it is configured.")
}

func accountRow(d *draft) variable {
	return row(upper(d.ID)+"_ACCOUNT_ID", "", account, func(*Config) *string { return &d.account },
		"Account, in the place of `"+catalog.AccountPlaceholder+"` in the URL.")
}

func dialectRow(name string, at *string) variable {
	return row(upper(name)+"_DIALECT", catalog.DialectOpenAI, oneOf(catalog.Dialects()...), func(*Config) *string { return at },
		"Wire format of an own provider.")
}

func authRow(name string, at *ownAuth) variable {
	return row(upper(name)+"_AUTH", "", authKind, func(*Config) *ownAuth { return at },
		"How an own provider's key is sent: `bearer`, `x-api-key`, `none` or `header:<name>`; unset: as the dialect does.")
}

// account goes into a URL's path, so it may hold nothing that means something there.
var account = plain("text", func(s string) (string, error) {
	if !validName(strings.ToLower(s)) {
		return "", errors.New("an account id of letters, digits, - and _")
	}
	return s, nil
})

// ownAuth is an Auth that may be unset.
type ownAuth struct {
	catalog.Auth
	set bool
}

var authKind = plain("bearer, x-api-key, none or header:<name>", func(s string) (ownAuth, error) {
	switch word := strings.ToLower(s); {
	case word == "bearer":
		return ownAuth{catalog.Bearer, true}, nil
	case word == "x-api-key":
		return ownAuth{catalog.XAPIKey, true}, nil
	case word == "none":
		return ownAuth{catalog.NoAuth, true}, nil
	case strings.HasPrefix(word, "header:"):
		name := strings.TrimSpace(strings.TrimPrefix(word, "header:"))
		if validHeader(name) && !framing[name] {
			return ownAuth{catalog.HeaderAuth(name), true}, nil
		}
	}
	return ownAuth{}, errors.New("bearer, x-api-key, none or header:<name of a header>")
})

// framing headers say how a message is cut and sent; a key in one would break the request or another one behind it.
var framing = map[string]bool{
	"host": true, "content-length": true, "transfer-encoding": true, "connection": true, "upgrade": true, "te": true,
	"trailer": true, "keep-alive": true, "proxy-connection": true, "content-type": true, "expect": true,
}
