// Checks a change audit log, and makes test vectors, with none of our code: Go's own signed notes
// and tiles (golang.org/x/mod/sumdb) and transparency-dev's Merkle tree.
//
//	go run . vectors > ../fixtures/audit-vectors.json
//	go run . check PREFIX VKEY [consistency.json] [a.tlog-proof ...]
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/merkle/testonly"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func main() {
	if len(os.Args) == 2 && os.Args[1] == "vectors" {
		vectors()
	} else if len(os.Args) >= 4 && os.Args[1] == "check" {
		check(os.Args[2], os.Args[3], os.Args[4:])
	} else {
		must(fmt.Errorf("vectors, or check PREFIX VKEY [FILE ...]"))
	}
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

type treeHead struct {
	Size uint64 `json:"size"`
	Root []byte `json:"root"`
}

type inclusion struct {
	Index uint64   `json:"index"`
	Size  uint64   `json:"size"`
	Proof [][]byte `json:"proof"`
}

type consistency struct {
	Old   uint64   `json:"old"`
	New   uint64   `json:"new"`
	Proof [][]byte `json:"proof"`
}

type signedNote struct {
	Vkey string `json:"vkey"`
	Note string `json:"note"`
}

// vectors prints trees, proofs and notes whose leaves are the texts leaf-0, leaf-1, ...
func vectors() {
	tree := testonly.New(rfc6962.DefaultHasher)
	var found struct {
		Trees       []treeHead    `json:"trees"`
		Inclusion   []inclusion   `json:"inclusion"`
		Consistency []consistency `json:"consistency"`
		Notes       []signedNote  `json:"notes"`
	}
	sizes := []uint64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 31, 33, 255, 256, 257, 511, 513, 1000}
	for _, size := range sizes {
		for tree.Size() < size {
			tree.AppendData([]byte(fmt.Sprintf("leaf-%d", tree.Size())))
		}
		found.Trees = append(found.Trees, treeHead{size, tree.Hash()})
		for _, index := range []uint64{0, size / 3, size / 2, size - 1} {
			if index < size {
				hashes, err := tree.InclusionProof(index, size)
				must(err)
				found.Inclusion = append(found.Inclusion, inclusion{index, size, hashes})
			}
		}
		for _, old := range sizes {
			if old > 0 && old <= size {
				hashes, err := tree.ConsistencyProof(old, size)
				must(err)
				found.Consistency = append(found.Consistency, consistency{old, size, hashes})
			}
		}
	}
	for number, text := range []string{"a text\n", "example.com/log\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n", "two\n\nparagraphs\n"} {
		seed := sha256.Sum256([]byte{byte(number)})
		skey, vkey, err := note.GenerateKey(bytes.NewReader(seed[:]), "example.com/log")
		must(err)
		signer, err := note.NewSigner(skey)
		must(err)
		signed, err := note.Sign(&note.Note{Text: text}, signer)
		must(err)
		found.Notes = append(found.Notes, signedNote{vkey, string(signed)})
	}
	encoder := json.NewEncoder(os.Stdout)
	must(encoder.Encode(found))
}

func check(prefix, vkey string, files []string) {
	verifier, err := note.NewVerifier(vkey)
	must(err)
	known := note.VerifierList(verifier)
	head := opened(fetch(prefix, "checkpoint"), known)
	fmt.Println("checkpoint", head.Size)
	leaves := checkTiles(prefix, head)
	checkEntries(prefix, head, leaves)
	for _, file := range files {
		data, err := os.ReadFile(file)
		must(err)
		if strings.HasSuffix(file, ".json") {
			checkConsistency(data, known)
		} else {
			checkProof(string(data), known)
		}
	}
}

// opened reads a checkpoint whose origin is its key's name.
func opened(text []byte, known note.Verifiers) treeHead {
	signed, err := note.Open(text, known)
	must(err)
	lines := strings.Split(signed.Text, "\n")
	if len(lines) != 4 || lines[0] != signed.Sigs[0].Name {
		must(fmt.Errorf("this is no checkpoint of %s", signed.Sigs[0].Name))
	}
	size, err := strconv.ParseUint(lines[1], 10, 63)
	must(err)
	root, err := base64.StdEncoding.DecodeString(lines[2])
	must(err)
	return treeHead{size, root}
}

func fetch(prefix, path string) []byte {
	if !strings.HasPrefix(prefix, "http://") {
		data, err := os.ReadFile(prefix + "/" + path)
		must(err)
		return data
	}
	response, err := http.Get(prefix + "/" + path)
	must(err)
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	must(err)
	if response.StatusCode != http.StatusOK {
		must(fmt.Errorf("%s/%s: %s", prefix, path, response.Status))
	}
	return data
}

// tiles reads tiles as C2SP names them; Go's names have the height in front.
type tiles string

func (prefix tiles) Height() int                     { return 8 }
func (prefix tiles) SaveTiles([]tlog.Tile, [][]byte) {}
func (prefix tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	var found [][]byte
	for _, each := range wanted {
		path := "tile/" + strings.TrimPrefix(each.Path(), "tile/8/")
		found = append(found, fetch(string(prefix), path))
	}
	return found, nil
}

// checkTiles reads every leaf's hash from the tiles, each of which must lead to the root.
func checkTiles(prefix string, head treeHead) []tlog.Hash {
	var indexes []int64
	for index := int64(0); index < int64(head.Size); index++ {
		indexes = append(indexes, tlog.StoredHashIndex(0, index))
	}
	tree := tlog.Tree{N: int64(head.Size), Hash: tlog.Hash(head.Root)}
	leaves, err := tlog.TileHashReader(tree, tiles(prefix)).ReadHashes(indexes)
	must(err)
	fmt.Println("tiles", len(leaves))
	return leaves
}

// checkEntries hashes every entry, and the tree over them.
func checkEntries(prefix string, head treeHead, leaves []tlog.Hash) {
	factory := compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}
	found := factory.NewEmptyRange(0)
	for number := int64(0); number*256 < int64(head.Size); number++ {
		tile := tlog.Tile{H: 8, L: -1, N: number, W: int(min(256, int64(head.Size)-number*256))}
		path := strings.Replace(tile.Path(), "tile/8/data/", "tile/entries/", 1)
		bundle := fetch(prefix, path)
		for len(bundle) > 0 {
			size := 2 + int(binary.BigEndian.Uint16(bundle))
			hash := rfc6962.DefaultHasher.HashLeaf(bundle[2:size])
			if !bytes.Equal(hash, leaves[found.End()][:]) {
				must(fmt.Errorf("entry %d is not the one in the tiles", found.End()))
			}
			must(found.Append(hash, nil))
			bundle = bundle[size:]
		}
	}
	root, err := found.GetRootHash(nil)
	must(err)
	if found.End() != head.Size || !bytes.Equal(root, head.Root) {
		must(fmt.Errorf("the entries make another tree than the checkpoint"))
	}
	fmt.Println("entries", found.End())
}

// checkProof checks a file as C2SP tlog-proof describes it; its extra data begins with our entry.
func checkProof(text string, known note.Verifiers) {
	above, checkpoint, _ := strings.Cut(text, "\n\n")
	lines := strings.Split(above, "\n")
	if lines[0] != "c2sp.org/tlog-proof@v1" {
		must(fmt.Errorf("this is no proof"))
	}
	extra, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(lines[1], "extra "))
	must(err)
	index, err := strconv.ParseUint(strings.TrimPrefix(lines[2], "index "), 10, 63)
	must(err)
	var hashes [][]byte
	for _, line := range lines[3:] {
		hash, err := base64.StdEncoding.DecodeString(line)
		must(err)
		hashes = append(hashes, hash)
	}
	head := opened([]byte(checkpoint), known)
	leaf := rfc6962.DefaultHasher.HashLeaf(extra[:70])
	must(proof.VerifyInclusion(rfc6962.DefaultHasher, index, head.Size, leaf, hashes, head.Root))
	if opening := extra[70:]; len(opening) > 0 {
		if commitment := sha256.Sum256(opening); !bytes.Equal(commitment[:], extra[38:70]) {
			must(fmt.Errorf("the message is not the one that was committed to"))
		}
	}
	fmt.Println("proof", index)
}

func checkConsistency(data []byte, known note.Verifiers) {
	var found struct {
		Old   string   `json:"old"`
		New   string   `json:"new"`
		Proof [][]byte `json:"proof"`
	}
	must(json.Unmarshal(data, &found))
	old, new := opened([]byte(found.Old), known), opened([]byte(found.New), known)
	must(proof.VerifyConsistency(rfc6962.DefaultHasher, old.Size, new.Size, found.Proof, old.Root, new.Root))
	fmt.Println("consistency", old.Size, new.Size)
}
