import nzh from 'nzh'

/* Written Mandarin → characters that are read one by one: spells out numbers, dates, money and measures. */

const DIGITS = '零一二三四五六七八九'
/** 105 → 一零五 */
export const digits = (s: string): string => [...s].map(d => DIGITS[Number(d)] ?? '').join('')
/** Telephone numbers and some numbers that are names, in which 1 is 幺. */
export const telephone = (s: string): string => digits(s).replaceAll('一', '幺')
const LONGEST = 16

/** 12345 → 一万二千三百四十五, 3.5 → 三点五. */
export function number(s: string): string {
  const plain = s.replace(/[,，]/g, '')
  const [whole = '0', fraction] = plain.split('.')
  const read =
    whole.length > LONGEST || /^0\d/.test(whole) ? digits(whole) : nzh.cn.encodeS(whole || '0', { tenMin: true })
  return fraction === undefined ? read : `${read}点${digits(fraction)}`
}

/** A number before a measure word: 2 is 两, also before 千, 万 and 亿. */
const amount = (s: string): string => number(s).replace(/^二(?=[千万亿]|$)/, '两')

const MEASURES: Record<string, string> = {
  km: '公里', m: '米', cm: '厘米', mm: '毫米', nm: '纳米', kg: '公斤', g: '克', mg: '毫克', t: '吨', l: '升', ml: '毫升', h: '小时', min: '分钟', s: '秒', ms: '毫秒',
  hz: '赫兹', khz: '千赫', mhz: '兆赫', ghz: '吉赫', w: '瓦', kw: '千瓦', kwh: '度', v: '伏', mah: '毫安时', db: '分贝', kcal: '千卡', 'm²': '平方米', 'km²': '平方公里', 'cm²': '平方厘米',
  'm³': '立方米', '℃': '摄氏度', '°c': '摄氏度', '℉': '华氏度', '°f': '华氏度', '°': '度', 'km/h': '公里每小时', 'm/s': '米每秒', mph: '英里每小时',
} // prettier-ignore
const MEASURE = Object.keys(MEASURES).sort((a, b) => b.length - a.length).map(name => name.replace('/', '\\/')).join('|') // prettier-ignore
const MONEY: Record<string, string> = {
  '￥': '元',
  '¥': '元',
  $: '美元',
  '€': '欧元',
  '£': '英镑',
  '₩': '韩元',
  '₽': '卢布',
  '₹': '卢比',
}
const N = '(\\d[\\d,]*(?:\\.\\d+)?)'
/** Measure words that take 两. */
const COUNTED =
  '个位名只条张件本支把辆台座间家层楼栋块片朵棵根头匹杯瓶碗盘份箱袋包双对套组批次回遍趟场句段篇封页点年天周日夜晚岁分秒元角毛斤两公克吨米厘毫平立升度倍成种样项部首幅颗粒滴口道门节期届代户队人星小多百千万亿'
const COUNTED_WITH_2 = new RegExp(`(?<![\\d.第,])2(?=\\s*(?:[${COUNTED.replace(/[日楼层期届代两]/g, '')}](?!月)))`, 'g')

/** 2024, 3, 5 → 二零二四年三月五日 */
export const dated = (y: string, m: string, d: string): string =>
  `${digits(y)}年${number(String(Number(m)))}月${number(String(Number(d)))}日`
const isDate = (m: string, d: string): boolean => Number(m) >= 1 && Number(m) <= 12 && Number(d) >= 1 && Number(d) <= 31

function datesAndTimes(text: string): string {
  return text
    .replace(/(?<!\d)(\d{4})([-/.])(\d{1,2})\2(\d{1,2})(?![\d.-])/g, (s, y: string, _, m: string, d: string) =>
      isDate(m, d) ? dated(y, m, d) : s,
    )
    .replace(/\d{4}(?=\s*年)|\d{2}(?=\s*后(?:[的\p{P}]|$))/gu, digits)
    .replace(/(?<=\d年?)\s*[-~～–—至]\s*(?=\d{4}\s*年)/g, '到')
    .replace(/(\d{1,2}[:：]\d{2})\s*[-~～–—]\s*(?=\d{1,2}[:：]\d{2})/g, '$1到')
    .replace(
      /(?<![\d:：])([01]?\d|2[0-4])[:：]([0-5]\d)(?:[:：]([0-5]\d))?(?![\d:：])/g,
      (_, h: string, m: string, s?: string) => {
        const minutes =
          m === '00' && s === undefined
            ? ''
            : `${m.startsWith('0') ? '零' : ''}${m === '00' ? '' : number(String(Number(m)))}分`
        return `${amount(String(Number(h)))}点${minutes}${s === undefined ? '' : `${number(String(Number(s)))}秒`}`
      },
    )
}

function money(text: string): string {
  return text
    .replace(
      new RegExp(`([￥¥$€£₩₽₹])\\s*${N}\\s*(万|亿|千|百)?`, 'g'),
      (_, sign: string, s: string, magnitude = '') => {
        const unit = MONEY[sign] ?? ''
        const tenths = /^(\d[\d,]*)\.(\d)(\d)$/.exec(s)
        if (unit !== '元' || magnitude !== '' || !tenths) return `${amount(s)}${magnitude as string}${unit}`
        const [, yuan = '', jiao = '0', fen = '0'] = tenths
        const rest = `${jiao === '0' ? '' : `${amount(jiao)}角`}${fen === '0' ? '' : `${jiao === '0' ? '零' : ''}${amount(fen)}分`}`
        return `${amount(yuan)}元${rest}`
      },
    )
    .replace(new RegExp(`${N}(?=\\s*(?:元|块|美元|欧元))`, 'g'), amount)
}

function telephones(text: string): string {
  return text
    .replace(
      /(?<![\d.])(?:\+?86[- ]?)?1[3-9]\d[- ]?\d{4}[- ]?\d{4}(?!\d)/g,
      s => `${s.startsWith('+') ? '加' : ''}${telephone(s)}`,
    )
    .replace(/(?<![\d.])(?:0\d{2,3}[- ]\d{7,8}|[48]00[- ]?\d{3}[- ]?\d{4})(?!\d)/g, telephone)
    .replace(/(?<=(?:电话|拨打|致电|热线|传真|号码|拨)(?:号码|是|为|到)?[:： ]*)\d{3,}(?:-\d+)*/g, telephone)
    .replace(
      /(?<=(?:房间|房间号|房号|门牌|车牌|航班|密码|验证码|邮编|编号|学号|账号|卡号|尾号)(?:是|为|号)?[:： ]*)\d{3,}/g,
      telephone,
    )
    .replace(/\d{3,}(?=(?:号)?(?:房间|房\b|室|航班))/g, digits)
    .replace(/(?<!\d)(?:110|119|120|114|12306|12315|10086|10010|10000|911)(?=报警|电话|热线|急救|客服)/g, telephone)
}

function measures(text: string): string {
  return text
    .replace(
      new RegExp(`(?<![\\d\\p{L}])-\\s*${N}\\s*(℃|°C|摄氏度|度)`, 'gui'),
      (_, s: string, unit: string) => `零下${amount(s)}${unit === '度' ? '度' : '摄氏度'}`,
    )
    .replace(
      new RegExp(`(?<=\\p{Script=Han})-\\s*${N}\\s*(℃|°C|摄氏度)`, 'gui'),
      (_, s: string) => `零下${amount(s)}摄氏度`,
    )
    .replace(
      new RegExp(`${N}\\s*[-~～–—]\\s*(?=\\d[\\d.]*\\s*(?:${MEASURE})(?![A-Za-z]))`, 'gi'),
      (_, s: string) => `${amount(s)}到`,
    )
    .replace(new RegExp(`${N}\\s*(${MEASURE})(?![A-Za-z/²³])`, 'gi'), (found, s: string, unit: string) =>
      // 5G is not a weight: of units with a single letter, only lower case ones are read.
      /^[GMTSHL]$/.test(unit) ? found : `${amount(s)}${MEASURES[unit.toLowerCase()] ?? ''}`,
    )
}

/** Spells out numbers: 25 二十五, 3.5 三点五, 50% 百分之五十, 7:30 七点三十分, 2024年 digit by digit, 2个 两个. */
export function mandarinNumbers(text: string): string {
  if (!/\d/.test(text)) return text
  return measures(money(telephones(datesAndTimes(text))))
    .replace(/(\d)[,，](?=\d{3}(?!\d))/g, '$1')
    .replace(
      new RegExp(`${N}\\s*[-~～–—]\\s*${N}\\s*[%％]`, 'g'),
      (_, a: string, b: string) => `百分之${number(a)}到百分之${number(b)}`,
    )
    .replace(
      new RegExp(`(-)?${N}\\s*[%％]`, 'g'),
      (_, minus: string | undefined, n: string) => `${minus ? '负' : ''}百分之${number(n)}`,
    )
    .replace(new RegExp(`${N}\\s*‰`, 'g'), (_, n: string) => `千分之${number(n)}`)
    .replace(/(?<![\d/.])(\d{1,3})\/(\d{1,3})(?![\d/.])/g, (_, a: string, b: string) => `${number(b)}分之${number(a)}`)
    .replace(/(?<![\d:：])(\d+)\s*[:：]\s*(\d+)(?![\d:：])/g, (_, a: string, b: string) => `${number(a)}比${number(b)}`)
    .replace(/(?<=\d)\s*[~～]\s*(?=\d)|(?<=(?<![\d-])\d[\d.]*)\s*[-–—]\s*(?=\d[\d.]*(?![\d-]))(?!\d+\s*=)/g, '到')
    .replace(/(?<=[\d\p{L}）)]\s*)=(?=\s*[-\d\p{L}(（])/gu, '等于')
    .replace(/(?<=\d\s*)\+(?=\s*\d)/g, '加')
    .replace(/(?<=\d\s*)-(?=\s*\d)/g, '减')
    .replace(/(?<=\d\s*)[×*x](?=\s*\d)/g, '乘以')
    .replace(/(?<=\d\s*)÷(?=\s*\d)/g, '除以')
    .replace(/(?<![\d\p{Script=Han}])-(?=\d)/gu, '负')
    .replace(/(?<=\d)\s*到\s*(?=\d)/g, '到')
    .replace(/(?<![\d.第,])2(?=到\d)/g, '两')
    .replace(COUNTED_WITH_2, '两')
    .replace(/\d+\.\d+/g, number)
    .replace(/\d+/g, s =>
      s.length > 1 && s.startsWith('0')
        ? digits(s)
        : s.length >= 7 && !s.endsWith('000')
          ? digits(s)
          : s.length >= 4
            ? amount(s)
            : number(s),
    )
}
