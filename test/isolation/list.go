package isolation

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/importer"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"slices"
)

// listed are the exported methods of exported types below internal/ that take a
// tenant, as "package.Type.Method", read from what the compiler exports.
func listed(root string) ([]string, error) {
	cmd := exec.Command("go", "list", "-export", "-deps", "-json=ImportPath,Export,DepOnly", "./internal/...")
	cmd.Dir = root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w: %s", err, stderr.Bytes())
	}
	export, wanted := map[string]string{}, []string{}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			ImportPath, Export string
			DepOnly            bool
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		export[p.ImportPath] = p.Export
		if !p.DepOnly && p.Export != "" {
			wanted = append(wanted, p.ImportPath)
		}
	}
	imports := importer.ForCompiler(token.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) { return os.Open(export[path]) })
	var names []string
	for _, path := range wanted {
		p, err := imports.Import(path)
		if err != nil {
			return nil, err
		}
		for _, name := range p.Scope().Names() {
			named, ok := p.Scope().Lookup(name).(*types.TypeName)
			if !ok || !named.Exported() || types.IsInterface(named.Type()) {
				continue
			}
			own, _ := named.Type().(*types.Named)
			for i := 0; own != nil && i < own.NumMethods(); i++ {
				m := own.Method(i)
				if m.Exported() && taking(m.Signature()) {
					names = append(names, path+" "+p.Name()+"."+name+"."+m.Name())
				}
			}
		}
	}
	slices.Sort(names)
	return names, nil
}

func taking(s *types.Signature) bool {
	for p := range s.Params().Variables() {
		if p.Type().String() == "pricemanager/internal/tenant.ID" {
			return true
		}
	}
	return false
}
