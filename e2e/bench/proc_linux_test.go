package main

import (
	"os"
	"testing"
	"time"
)

func TestParseStatWithBracketsInTheName(t *testing.T) {
	line := "4711 (a) b (c) S 12 4700 4700 0 -1 4194560 1 0 0 0 250 150 0 0 20 0 3 0 987654 1000 200 18446744073709551615"
	got, err := parseStat([]byte(line))
	want := procStat{Name: "a) b (c", State: 'S', Parent: 12, Group: 4700, CPU: 4 * time.Second, Started: 987654}
	if err != nil || got != want {
		t.Fatalf("got %+v, %v\nwant %+v", got, err, want)
	}
	for _, broken := range []string{"", "1 (a", "1 (a) S 1 1"} {
		if _, err := parseStat([]byte(broken)); err == nil {
			t.Errorf("accepted %q", broken)
		}
	}
}

func TestOwnProcessIsFoundAndMeasured(t *testing.T) {
	all, err := processes()
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := below(all, os.Getppid())[os.Getpid()]; !ok && os.Getppid() > 1 {
		t.Error("this process is not below its parent")
	}
	u, err := group{"self", []int{os.Getpid()}}.measure()
	if err != nil || u.RSS < 1<<20 {
		t.Errorf("usage %+v, %v", u, err)
	}
}
