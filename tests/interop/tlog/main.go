// SPDX-License-Identifier: Apache-2.0

// Somebody else's transparency-log code against ours, in both directions:
// golang.org/x/mod/sumdb/{tlog,note}, github.com/transparency-dev/{merkle,formats}.
// Exit status 0: accepted; 1: rejected; 2: could not tell.
package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/transparency-dev/formats/log"
	fnote "github.com/transparency-dev/formats/note"
	tproof "github.com/transparency-dev/formats/proof"
	"github.com/transparency-dev/formats/witness"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func die(code int, format string, args ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
	os.Exit(code)
}

func must[T any](value T, err error) T {
	if err != nil {
		die(1, "%v", err)
	}
	return value
}

func readKey(path string) note.Verifier {
	text, err := os.ReadFile(path)
	if err != nil {
		die(2, "%v", err)
	}
	return must(note.NewVerifier(strings.TrimSpace(string(text))))
}

// C2SP drops the height from the path that sumdb uses, and names bundles "entries".
func c2spPath(t tlog.Tile) string {
	return strings.Replace(t.Path(), "tile/8/", "tile/", 1)
}

type dirTiles struct{ dir string }

func (d dirTiles) Height() int                         { return 8 }
func (d dirTiles) SaveTiles(_ []tlog.Tile, _ [][]byte) {}
func (d dirTiles) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var out [][]byte
	for _, t := range tiles {
		data, err := os.ReadFile(filepath.Join(d.dir, c2spPath(t)))
		if os.IsNotExist(err) && t.W < 256 { // the full tile may have replaced it
			full := t
			full.W = 256
			if data, err = os.ReadFile(filepath.Join(d.dir, c2spPath(full))); err == nil {
				data = data[:t.W*32]
			}
		}
		if err != nil {
			return nil, err
		}
		out = append(out, data)
	}
	return out, nil
}

func openCheckpoint(dir string, key note.Verifier) *log.Checkpoint {
	raw := must(os.ReadFile(filepath.Join(dir, "checkpoint")))
	n := must(note.Open(raw, note.VerifierList(key)))
	tree := strings.Split(n.Text, "\n")
	cp, _, _, err := log.ParseCheckpoint(raw, tree[0], key)
	if err != nil {
		die(1, "%v", err)
	}
	return cp
}

func entries(dir string, size int64) [][]byte {
	var out [][]byte
	for n := int64(0); n*256 < size; n++ {
		width := int(min(256, size-n*256))
		path := strings.Replace(c2spPath(tlog.Tile{H: 8, L: 0, N: n, W: width}), "tile/0/", "tile/entries/", 1)
		data := must(os.ReadFile(filepath.Join(dir, path)))
		for i := 0; i < width; i++ {
			if len(data) < 2 || len(data) < 2+int(binary.BigEndian.Uint16(data)) {
				die(1, "bundle %d ends inside entry %d", n, i)
			}
			length := int(binary.BigEndian.Uint16(data))
			out = append(out, data[2:2+length])
			data = data[2+length:]
		}
		if len(data) != 0 {
			die(1, "bundle %d goes on", n)
		}
	}
	return out
}

// read DIR KEY.pub: every inclusion proof and many consistency proofs, by two libraries.
func read(dir, keyPath string) {
	cp := openCheckpoint(dir, readKey(keyPath))
	size := int64(cp.Size)
	root := tlog.Hash(cp.Hash)
	reader := tlog.TileHashReader(tlog.Tree{N: size, Hash: root}, dirTiles{dir})
	all := entries(dir, size)
	for i, entry := range all {
		leaf := tlog.RecordHash(entry)
		p := must(tlog.ProveRecord(size, int64(i), reader))
		if err := tlog.CheckRecord(p, size, root, int64(i), leaf); err != nil {
			die(1, "entry %d: %v", i, err)
		}
		var path [][]byte
		for _, h := range p {
			path = append(path, append([]byte(nil), h[:]...))
		}
		if err := proof.VerifyInclusion(rfc6962.DefaultHasher, uint64(i), cp.Size,
			rfc6962.DefaultHasher.HashLeaf(entry), path, cp.Hash); err != nil {
			die(1, "entry %d: %v", i, err)
		}
	}
	checked := 0
	for older := int64(1); older < size; older += 1 + older/7 {
		oldRoot := must(tlog.TreeHash(older, reader))
		p := must(tlog.ProveTree(size, older, reader))
		if err := tlog.CheckTree(p, size, root, older, oldRoot); err != nil {
			die(1, "size %d: %v", older, err)
		}
		var path [][]byte
		for _, h := range p {
			path = append(path, append([]byte(nil), h[:]...))
		}
		if err := proof.VerifyConsistency(rfc6962.DefaultHasher, uint64(older), cp.Size, path,
			oldRoot[:], cp.Hash); err != nil {
			die(1, "size %d: %v", older, err)
		}
		checked++
	}
	fmt.Printf("%d entries and %d earlier trees proven\n", len(all), checked)
}

type memory struct{ hashes []tlog.Hash }

func (m *memory) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	var out []tlog.Hash
	for _, i := range indexes {
		out = append(out, m.hashes[i])
	}
	return out, nil
}

func put(dir, path string, data []byte) {
	full := filepath.Join(dir, path)
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		die(2, "%v", err)
	}
	if err := os.WriteFile(full, data, 0o644); err != nil {
		die(2, "%v", err)
	}
}

func build(count int64) (*memory, [][]byte) {
	m := &memory{}
	var all [][]byte
	for i := int64(0); i < count; i++ {
		entry := []byte(fmt.Sprintf("entry %d of Go", i))
		m.hashes = append(m.hashes, must(tlog.StoredHashes(i, entry, m))...)
		all = append(all, entry)
	}
	return m, all
}

func signedCheckpoint(name string, size int64, root tlog.Hash, signers ...note.Signer) []byte {
	cp := log.Checkpoint{Origin: name, Size: uint64(size), Hash: root[:]}
	return must(note.Sign(&note.Note{Text: string(cp.Marshal())}, signers...))
}

// write DIR NAME SIZE...: logs of Go's making, the last size staying; keys beside it.
func write(dir, name string, sizes []string) {
	skey, vkey, err := note.GenerateKey(nil, name)
	if err != nil {
		die(2, "%v", err)
	}
	put(dir, "../go.key", []byte(skey+"\n"))
	put(dir, "../go.pub", []byte(vkey+"\n"))
	signer := must(note.NewSigner(skey))
	previous := int64(0)
	for i, text := range sizes {
		size := must(strconv.ParseInt(text, 10, 64))
		m, all := build(size)
		root := must(tlog.TreeHash(size, m))
		for _, tile := range tlog.NewTiles(8, previous, size) {
			put(dir, c2spPath(tile), must(tlog.ReadTileData(tile, m)))
		}
		for n := int64(0); n*256 < size; n++ {
			width := int(min(256, size-n*256))
			var data []byte
			for _, entry := range all[n*256 : n*256+int64(width)] {
				data = append(binary.BigEndian.AppendUint16(data, uint16(len(entry))), entry...)
			}
			path := c2spPath(tlog.Tile{H: 8, L: 0, N: n, W: width})
			put(dir, strings.Replace(path, "tile/0/", "tile/entries/", 1), data)
		}
		cp := signedCheckpoint(name, size, root, signer)
		put(dir, "checkpoint", cp)
		put(dir, fmt.Sprintf("../checkpoint.%d", i), cp)
		previous = size
		index := size / 3
		inclusion := must(tlog.ProveRecord(size, index, m))
		file := tproof.TLogProof{Index: uint64(index), Checkpoint: cp, ExtraData: all[index]}
		for _, h := range inclusion {
			file.Hashes = append(file.Hashes, h)
		}
		put(dir, "../go.tlog-proof", file.Marshal())
	}
}

// proof FILE KEY.pub: a .tlog-proof of ours.
func checkProof(path, keyPath string) {
	var p tproof.TLogProof
	if err := p.Unmarshal(must(os.ReadFile(path))); err != nil {
		die(1, "%v", err)
	}
	n := must(note.Open(p.Checkpoint, note.VerifierList(readKey(keyPath))))
	cp := &log.Checkpoint{}
	must(cp.Unmarshal([]byte(n.Text)))
	var hashes [][]byte
	for _, h := range p.Hashes {
		hashes = append(hashes, append([]byte(nil), h[:]...))
	}
	if err := proof.VerifyInclusion(rfc6962.DefaultHasher, p.Index, cp.Size,
		rfc6962.DefaultHasher.HashLeaf(p.ExtraData), hashes, cp.Hash); err != nil {
		die(1, "%v", err)
	}
}

// cosigned FILE WITNESS.pub: is a checkpoint cosigned by this witness of ours?
func cosigned(path, keyPath string) {
	text := strings.TrimSpace(string(must(os.ReadFile(keyPath))))
	verifier := must(fnote.NewVerifierForCosignatureV1(text))
	n := must(note.Open(must(os.ReadFile(path)), note.VerifierList(verifier)))
	at := must(fnote.CoSigV1Timestamp(n.Sigs[0]))
	fmt.Println(at.Unix())
}

// cosign FILE NAME OUT: cosign a checkpoint as a witness of Go's making; key to OUT.pub.
func cosign(path, name, out string) {
	skey, vkey, err := note.GenerateKey(nil, name)
	if err != nil {
		die(2, "%v", err)
	}
	signer := must(fnote.NewSignerForCosignatureV1(skey))
	raw := must(os.ReadFile(path))
	at := bytes.LastIndex(raw, []byte("\n\n"))
	signed := must(note.Sign(&note.Note{Text: string(raw[:at+1])}, signer))
	line := signed[bytes.LastIndex(signed, []byte("\n\n"))+2:]
	put(".", out, append(raw, line...))
	put(".", out+".pub", []byte(must(fnote.VKeyToCosignatureV1(vkey))+"\n"))
}

// policy FILE CHECKPOINT: is a tlog-policy satisfied?
func policy(path, checkpoint string) {
	group := must(witness.ParsePolicy(must(os.ReadFile(path))))
	if !group.Satisfied(must(os.ReadFile(checkpoint))) {
		die(1, "not satisfied")
	}
	for endpoint := range group.Endpoints() {
		must(url.Parse(endpoint))
	}
}

func main() {
	args := os.Args[1:]
	switch {
	case len(args) == 3 && args[0] == "read":
		read(args[1], args[2])
	case len(args) >= 4 && args[0] == "write":
		write(args[1], args[2], args[3:])
	case len(args) == 3 && args[0] == "proof":
		checkProof(args[1], args[2])
	case len(args) == 3 && args[0] == "cosigned":
		cosigned(args[1], args[2])
	case len(args) == 4 && args[0] == "cosign":
		cosign(args[1], args[2], args[3])
	case len(args) == 3 && args[0] == "policy":
		policy(args[1], args[2])
	default:
		die(2, "usage: tlog read|write|proof|cosigned|cosign|policy ...")
	}
}
