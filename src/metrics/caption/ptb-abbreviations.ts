/**
 * Word lists of the Penn Treebank tokenizer that the COCO caption tools call, found by asking it (CoreNLP 3.4.1): every word of up
 * to five letters, and longer ones that are usual, before a period; every frequent word after one.
 */

const words = (list: string) => list.trim().split(/\s+/).join('|')
/** In capitals too. */
const capitalised = (list: string) => words(`${list} ${list.toUpperCase()}`)

/** What keeps the period that follows it: titles, streets. A regular expression's alternatives. */
export const abbreviations = words(`
  adj adm adv alex assoc asst atty attys ave brig capt cf cie cmdr col comdr cpl dept det dr drs elec ens ft gen gov govs hon
  insp invt jos lieut lt maj messrs mlle mme mr mrs ms msgr mt natl pfc ph pres prof profs pvt rep reps rev sen sens sfc sgt
  spc st ste supt supts treas vs wm`)

/** The same for months, states and companies, which can end a sentence: `Inc.a` is two tokens, `Mr.a` one. */
export const endingAbbreviations = words(`
  al ala apr ariz assn aug bancorp bhd bldg blvd bros calif co colo conn corp cos ct dak dec esq est etc ext feb fla fri ga
  inc ind intl jan jr jul jun kan kans ky ltd mar md mich minn mo mon mont neb nev nov oct okla penn plc rd rt sep sept seq sq
  sr sys tel tenn thu thurs tue tues univ va vt wed wis wisc wyo`)

/** Of these, names that are words when they begin with a small letter. */
export const capitalAbbreviations = words('Ark Az Del Ill La Mass Miss Ore Pa Tex Wash').replace(
  /[a-z]/g,
  (letter) => `[${letter}${letter.toUpperCase()}]`,
)

/** Never all in capitals: titles, and of those that can end a sentence. */
export const smallAbbreviations = '[Mm][ft]g'
export const smallEndingAbbreviations = '[Pp]?[Pp]t[ey]s?'

/** What keeps its period before a number only: `fig. 3`, `No. 5`. */
export const beforeNumbers = words('art ca fig figs no nos op pp prop')

/** After a single letter and its period, these words begin another sentence: `plan B. The dog`, but `J. Smith`. Case counts. */
export const sentenceStarters = capitalised(`
  A About According Additionally After An As At But Earlier He Her Here However If In It Last Many More Mr\\. Ms\\. Now Once One
  Other Our She Since So Some Such That The Their Then There These They This We What When While Yet You`)

/** Names of files stay whole: `photo.jpg`. */
export const fileExtensions = words(`
  3gp avi bat bmp c class cgi cpp dll doc docx exe flv gif gz h htm html jar java jpeg jpg mov mp3 mp4 mpg pdf php pl png ppt ps
  py sql tar txt wav wma wmv x xml zip`)
