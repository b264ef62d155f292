package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// edit replaces a file's content in one step: a reader sees the old content or the new, and a crash leaves one of them.
// Two edits at a time come one after the other. A file that is not there counts as empty, and is made for its owner only.
func edit(path string, change func(content []byte) ([]byte, error)) (err error) {
	switch target, err := filepath.EvalSymlinks(path); {
	case err == nil:
		path = target // the link stays, and what it leads to changes
	case isThere(path):
		return &fs.PathError{Op: "edit", Path: path, Err: errors.New("the link leads nowhere")}
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dir.Close()) }() // which also ends the lock
	if err := syscall.Flock(int(dir.Fd()), syscall.LOCK_EX); err != nil {
		return &fs.PathError{Op: "lock", Path: dir.Name(), Err: err}
	}
	content, old, err := readOrEmpty(path)
	if err != nil {
		return err
	}
	next, err := change(content)
	if err != nil {
		return err
	}
	return replace(path, next, old)
}

func isThere(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// readOrEmpty also says what kind of file it is; nil for one that is not there.
func readOrEmpty(path string) (content []byte, old fs.FileInfo, err error) {
	old, err = os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	if !old.Mode().IsRegular() { // a device or a pipe would be a file from then on
		return nil, nil, &fs.PathError{Op: "edit", Path: path, Err: errors.New("it is no regular file")}
	}
	content, err = os.ReadFile(path)
	return content, old, err
}

// replace puts content in the place of the old file, with its mode and its owner: the gateway that reads it may be another
// user than the one who edits.
func replace(path string, content []byte, old fs.FileInfo) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	err = errors.Join(err, likeTheOld(f, old), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

func likeTheOld(f *os.File, old fs.FileInfo) error {
	if old == nil {
		return f.Chmod(0o600)
	}
	err := f.Chmod(old.Mode().Perm())
	owner, known := old.Sys().(*syscall.Stat_t)
	if !known || int(owner.Uid) == os.Geteuid() && int(owner.Gid) == os.Getegid() {
		return err
	}
	if e := f.Chown(int(owner.Uid), int(owner.Gid)); e != nil {
		err = errors.Join(err, errors.New("the file belongs to somebody else, who could not read the new one: edit it as its owner"))
	}
	return err
}
