/**
 * Word lists of the Penn Treebank tokenizer that the COCO caption tools call, found by asking it (CoreNLP 3.4.1): every word of up
 * to four letters, and longer ones that are usual, before a period; every frequent word after one.
 */

const words = (list: string) => list.trim().split(/\s+/).join('|')
/** In capitals too. */
const capitalised = (list: string) => words(`${list} ${list.toUpperCase()}`)

/** What keeps the period that follows it: titles, months, streets, companies. A regular expression's alternatives. */
export const abbreviations = words(`
  adj adm adv al ala alex apr ariz assn assoc asst atty attys aug ave bancorp bhd bldg blvd brig bros calif capt cf cie cmdr co
  col colo comdr conn corp cos cpl ct dak dec dept det dr drs elec ens esq est etc ext feb fla fri ft ga gen gov govs hon inc
  ind insp intl invt jan jos jr jul jun kan kans ky lieut lt ltd maj mar md messrs mich minn mlle mme mo mon mont mr mrs ms
  msgr mt natl neb nev nov oct okla penn pfc ph plc pres prof profs pvt rd rep reps rev rt sen sens sep sept seq sfc sgt spc
  sq sr st ste supt supts sys tel tenn thu thurs tue tues univ va vs vt wed wis wisc wm wyo`)

/** The same for names that are words in small letters. */
export const capitalAbbreviations = capitalised('Ark Az Del Ill La Mass Miss Ore Pa Tex Wash')

/** The same, never in capitals. */
export const smallAbbreviations = '[Mm][ft]g|[Pp]?[Pp]t[ey]s?'

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
