// In the place of the package xmlbuilder2, which vtk.js writes scene files with. Nothing here writes one, and the package
// wants parts of Node.js that no browser has.

export function create(): never {
  throw new Error('No XML is written here.');
}

export const convert = create;
