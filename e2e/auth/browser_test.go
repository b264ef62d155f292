//go:build browser

package auth

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/storage"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

const goButton, bodyElement = chromedp.CSS("#go"), chromedp.CSS("body")

// A real browser decides by itself which cookies it keeps, sends and shows to scripts. `make test-browser` brings one.
func TestChromiumLogsIn(t *testing.T) {
	w := newLoginWorld(t, "AUTH_OIDC_SCOPES", "openid,profile,offline_access")
	c := chromium(t)

	c.do("opening a page leads to the login", chromedp.Navigate(w.URL+"/v1/models?x=1"), chromedp.WaitVisible(goButton))
	assert.True(t, strings.HasPrefix(c.at(), w.issuer.url), c.at())
	c.do("logging in leads back", chromedp.SendKeys(chromedp.CSS("#username"), username), chromedp.SendKeys(chromedp.CSS("#password"), password),
		chromedp.Click(goButton), chromedp.WaitNotPresent(goButton), chromedp.WaitReady(bodyElement))
	assert.Equal(t, w.URL+"/v1/models?x=1", c.at())
	assert.Contains(t, c.text(), `"object":"list"`)

	t.Run("the browser keeps the cookies, and shows them to nobody", func(t *testing.T) {
		result, err := chromedp.CallBrowser(c.ctx, storage.GetCookies, storage.GetCookiesParams{})
		require.NoError(t, err)
		var kept []string
		for _, cookie := range result.Cookies {
			if !strings.HasPrefix(cookie.Name, "__Host-igw-") {
				continue
			}
			kept = append(kept, cookie.Name)
			assert.True(t, cookie.HTTPOnly && cookie.Secure, cookie.Name)
			assert.Equal(t, network.CookieSameSiteLax, cookie.SameSite, cookie.Name)
		}
		assert.GreaterOrEqual(t, len(kept), 3, kept)
		_, err = chromedp.Run(c.ctx, chromedp.Evaluate[string](`document.cookie`))
		assert.ErrorContains(t, err, "sandboxed", "an answer is a document without an origin of its own")
	})
	t.Run("a script in an answer asks nothing in the user's name", func(t *testing.T) {
		assert.Zero(t, c.fetch(w.URL+"/v1/models"))
	})
	t.Run("another site may not", func(t *testing.T) {
		evil := harness.NewProvider(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = w.Write([]byte("<body>evil"))
		})
		w.own.Reset()
		// To the browser localhost is another site than 127.0.0.1, although it is the same machine.
		c.do("going there", chromedp.Navigate(strings.Replace(evil.URL, "127.0.0.1", "localhost", 1)))
		assert.Zero(t, c.fetch(w.URL+"/proxy/own/v1/x"), "no answer is shown to its script")
		form := `(() => { const f = document.createElement("form"); f.method = "post"; f.action = "` + w.URL + `/proxy/own/v1/x";
			document.body.append(f); f.submit(); return "" })()`
		_, err := chromedp.Run(c.ctx, chromedp.Evaluate[string](form))
		require.NoError(t, err)
		harness.Eventually(t, patience, "the form is answered", func() bool {
			text, err := chromedp.Run(c.ctx, chromedp.Text(bodyElement))
			return err == nil && strings.Contains(text, `"unauthorized"`) // the old page goes in the middle of it
		})
		assert.Empty(t, w.own.Requests(), "nothing was sent with the cookies")
	})
	t.Run("logging out ends it", func(t *testing.T) {
		c.do("logging out", chromedp.Navigate(w.URL+"/oauth2/logout"), chromedp.Navigate(w.URL+"/v1/models"), chromedp.WaitVisible(goButton))
		assert.True(t, strings.HasPrefix(c.at(), w.issuer.url), c.at())
	})
}

// page is a tab of the browser.
type page struct {
	t   *testing.T
	ctx context.Context
}

// chromium starts the browser that CHROMIUM names.
func chromium(t *testing.T) *page {
	t.Helper()
	path := os.Getenv("CHROMIUM")
	require.NotEmpty(t, path, "CHROMIUM is not set: run make test-browser")
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, chromedp.ExecPath(path), chromedp.Headless, chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck,
		chromedp.DisableGPU, chromedp.IgnoreCertErrors, chromedp.UserDataDir(t.TempDir()),
		chromedp.NoSandbox, // it needs privileges that a container does not give, and sees this test's own pages only
		chromedp.Env("LD_LIBRARY_PATH="+filepath.Join(filepath.Dir(path), "lib")), // of the one that was installed
		chromedp.Flag("no-proxy-server", true), chromedp.Flag("disable-background-networking", true))
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	p := &page{t, ctx}
	t.Cleanup(func() { _ = chromedp.Cancel(ctx) }) // waits until the browser has ended
	return p
}

func (p *page) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	require.NoError(p.t, chromedp.Do(p.ctx, steps...), what)
}

func (p *page) at() string {
	p.t.Helper()
	at, err := chromedp.Run(p.ctx, chromedp.Location())
	require.NoError(p.t, err)
	return at
}

func (p *page) text() string {
	p.t.Helper()
	text, err := chromedp.Run(p.ctx, chromedp.Text(bodyElement))
	require.NoError(p.t, err)
	return text
}

// fetch gives the status that a script of the page sees, or 0 when the browser shows it none.
func (p *page) fetch(address string) int {
	p.t.Helper()
	status, err := chromedp.Run(p.ctx, chromedp.Evaluate[int](`fetch("`+address+`", {credentials: "include"}).then(r => r.status, () => 0)`, chromedp.EvalAwaitPromise))
	require.NoError(p.t, err)
	return status
}
