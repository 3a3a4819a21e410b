import { customPinyin, pinyin } from 'pinyin-pro'
import dictionary from './readings.json'

/*
 * The readings of Chinese characters: by pinyin-pro, with words that its dictionary lacks (readings.json, see
 * scripts/mandarin-readings.mjs), and with rules for verbs and particles, whose reading depends on the neighbouring
 * characters.
 */

// The last entries are readings for which the dictionaries differ from actual usage.
customPinyin({ ...dictionary, 嗯: 'ńg', 哦: 'ó', 呗: 'bei', 哪儿: 'nǎ ér' })

const PRONOUN = '[我你您他她它咱]'
/** Characters whose neighbours show which syllable they are. */
const BY_CONTEXT: readonly (readonly [RegExp, string])[] = [
  // 还: give back
  [new RegExp(`还(?=[钱书债款贷礼给清了]|${PRONOUN}(?:们)?(?:的|钱|书|一|$)|车票|东西)|(?<=[归偿退送要没不])还(?=[的吗吧呢]|$)`, 'gu'), 'huan2'],
  // 得: must; and before a complement of manner
  [new RegExp(`(?<=${PRONOUN}|[们谁还就也都总可非又只]|今天|明天|现在|必)(?<!觉|记|值|懂|显|晓|认|舍|非|也|都|值)得(?=[走去来回先赶快上下买做干把给问看想等找学写说吃睡起开坐听跟让用花])`, 'gu'), 'dei3'],
  [/(?<=[跑走写说做吃玩过睡起唱跳看听学干飞来去穿打长画笑哭讲读想活住开坐站变爱气忙累热冷吓急高美好快慢冻饿疼亮红白黑])得(?=[很好太真非特更最多快慢高低早晚像这那不怎起开出上下清明懂完见到住动了远近深大小热冷漂流精认干一])/gu, 'de5'],
  // 地: after an adverb, before the verb
  [/(?<=\1(\p{Script=Han}))地(?=\p{Script=Han})(?![铁方图下球区震面点板理位道址])/gu, 'de5'],
  [/(?<=[高认仔小大安悄静愉激热耐轻努自积清明简迅突渐不慢飞兴开伤生平勇快幸顺秘][兴真细心声静然快动情心松力觉极楚白单速然断意速奋心气静敢乐运利密止停])地(?=\p{Script=Han})/gu, 'de5'],
  // 北京都: not Kyoto
  [/(?<=[北南东]京)都/gu, 'dou1'],
  // 长: grow
  [/长(?=得|出|成|满|胖|了[一个])|(?<=[生成增助见渐])长|(?<=[局校院部市省县区科处所站店厂船行家会班组队团董事])长(?=[的了是说在和也都们，]|$)/gu, 'zhang3'],
  // 重: again
  [/重(?=[做写来读装启印拍唱算说发试设演播建修组置申温返逢])/gu, 'chong2'],
  // 背, 盛, 切, 种, 数, 教, 系, 缝, 倒: as verbs
  [/背(?=着|书包|背包|上[书背]|起[书背孩行包]|孩子|[一这那][个只袋]|不动)/gu, 'bei1'],
  [/盛(?=[饭汤粥菜]|[一两]碗|满)/gu, 'cheng2'],
  [/切(?=[菜肉开成片块丝断掉碎蛋西水苹葱])/gu, 'qie1'],
  [/种(?=[花树菜地草粮田瓜豆稻麦植了满下着])/gu, 'zhong4'],
  [/(?<=[这那各某每此一两三四五六七八九十几多品物人兵变语工军特])种/gu, 'zhong3'],
  [/数(?=[一了]数|[一二两三四五六七八九十百]|[钱到星不完出清])(?<!(?:多|少|人|总|次|无|岁|分|函|指|系|参|整|小|奇|偶|倍)数)|(?<=数[一了])数/gu, 'shu3'],
  [/(?<=[关联体派星水世干直母父山菜谱文理语学工史程治济])系/gu, 'xi4'],
  [new RegExp(`教(?=${PRONOUN}|[书课给会]|孩子|学生|[英汉中法德日]语|中文|数学|语文|音乐|游泳)`, 'gu'), 'jiao1'],
  [/(?<![关联体派星水世干直母父山菜谱文理语学工史程治济])系(?=[好上紧着]|鞋带|领带|围巾|安全带|腰带|扣子|蝴蝶结)/gu, 'ji4'],
  [/(?<=[鞋领]带)系(?=[好上紧])|(?<=把.{1,4})系(?=[好上紧])/gu, 'ji4'],
  [/缝(?=[衣补好上被扣制了])/gu, 'feng2'],
  [/倒(?=[水茶酒车退垃掉满])(?<!(?:摔|跌|打|推|滑|晕|病|倾)倒)|(?<=把.{1,4})倒(?=[掉进出])/gu, 'dao4'],
  [/空(?=[位格出缺地余])|(?<=[有没抽得填])空(?=[吗吧呢的来去再时就]|$)/gu, 'kong4'],
  [/好(?=学生|人|事|书)/gu, 'hao3'],
  [/着(?=了)(?<=[睡找猜点打]着)|(?<=[睡找猜买用点][不得])着/gu, 'zhao2'],
  [/卡(?=住|壳|在)/gu, 'qia3'],
  [/(?<=姓)曾/gu, 'zeng1'],
] // prettier-ignore

/**
 * The syllables (`ni3`) of a run of Chinese characters, one for each character. A run is converted as a whole because
 * readings depend on neighbours. The neutral tone is 5.
 */
export function readingsOf(run: string): string[] {
  const read = pinyin(run, { type: 'array', toneType: 'num', toneSandhi: true, v: true })
  const readings = read.map(syllable => syllable.replace('0', '5'))
  for (const [pattern, syllable] of BY_CONTEXT)
    for (const { index } of run.matchAll(pattern)) readings[[...run.slice(0, index)].length] = syllable
  return readings
}
