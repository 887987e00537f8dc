// Reads a source's Parquet files with hyparquet, a reader that has nothing to do with Quarry.
//   node tools/demo/read_parquet.mjs SOURCE_FOLDER [COLUMN]
// Prints one JSON line: {files, bytes, rows, columns, decoded, counts}; `rows` is the sum of what the
// footers say, `decoded` the number of values of COLUMN that were decoded, `counts` how often each
// value of COLUMN occurs (the 20 most frequent; null as "").
import { readFileSync } from 'node:fs'
import { parquetMetadata, parquetRead } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { tableFiles } from './table_files.mjs'

const [folder, column] = process.argv.slice(2)
if (!folder) {
  console.error('usage: read_parquet.mjs FOLDER [COLUMN]')
  process.exit(2)
}

const files = await tableFiles(folder)

const counts = new Map()
const columns = new Set()
let bytes = 0, rows = 0, decoded = 0

for (const path of files) {
  const data = readFileSync(path)
  const file = data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength)
  const metadata = parquetMetadata(file)
  const names = metadata.schema.slice(1).map(element => element.name)
  bytes += data.byteLength
  rows += Number(metadata.num_rows)
  names.forEach(name => columns.add(name))
  if (!column) continue
  if (!names.includes(column)) { // added to the source later: all null here
    decoded += Number(metadata.num_rows)
    counts.set('', (counts.get('') ?? 0) + Number(metadata.num_rows))
    continue
  }
  await parquetRead({
    file, metadata, compressors, columns: [column],
    onChunk({ columnName, columnData }) {
      if (columnName !== column) return
      decoded += columnData.length
      for (const value of columnData) {
        const key = value == null ? '' : String(value)
        counts.set(key, (counts.get(key) ?? 0) + 1)
      }
    },
  })
}

const top = [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).slice(0, 20)
console.log(JSON.stringify({ files: files.length, bytes, rows, columns: columns.size, decoded, counts: top }))
