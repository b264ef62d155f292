package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// callerKeys is how many API keys the measured gateway knows: each request is compared with all of them.
const callerKeys = 100

// startKeys starts a gateway that asks who calls (ext_authz), with the key that every request of the bench has.
func (b *bench) startKeys(ctx context.Context, mockPort int) ([]*target, error) {
	file := filepath.Join(b.fleet.dir, "keys.yaml")
	if err := os.WriteFile(file, []byte(keysOf(callerKeys)), 0o600); err != nil {
		return nil, err
	}
	t, err := b.startAnother(ctx, "keys", list{"API_KEYS_FILE=" + file}, mockPort)
	if err != nil {
		return nil, err
	}
	return []*target{t}, nil
}

// keysOf makes a file of keys, the bench's own the last of them.
func keysOf(n int) string {
	var out strings.Builder
	out.WriteString("keys:\n")
	for i := range n {
		key := fmt.Sprintf("nobody-%d", i)
		if i == n-1 {
			key = benchKey
		}
		sum := sha256.Sum256([]byte(key))
		fmt.Fprintf(&out, "  - {id: caller-%d, sha256: %s}\n", i, hex.EncodeToString(sum[:]))
	}
	return out.String()
}
