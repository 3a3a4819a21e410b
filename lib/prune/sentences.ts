/**
 * The default calibration set for nano: a few of each kind of its inputs. Pairs of English and Mandarin sentences
 * alternate, so that both halves have both languages. nano's own voices read them for its encoder.
 */
export const SENTENCES: readonly string[] = [
  'Turn on the kitchen light.', 'Could you dim the lamp in the bedroom, please?', '打开客厅的灯。', '请把卧室的窗帘拉上。',
  'Open the curtains in the living room.', 'Play some music in the study.', '把厨房的音乐调大一点。', '帮我关掉书房的风扇，谢谢。',
  'Seven.', 'The number is forty two.', '三十五。', '数字是八。',
  'Good morning! How are you today?', 'What is your name?', '早上好，你今天怎么样？', '你叫什么名字？',
  'Thank you very much, see you tomorrow.', 'Can you tell me what time it is?', '谢谢你，明天见。', '请问现在几点了？',
  'Repeat after me: the train is late again.', 'Say: my brother drinks a cup of coffee.', '跟我说：今天天气很好。', '跟我读：妈妈在花园里喝茶。',
  'Apple.', 'Yellow bicycle.', '苹果。', '火车站。',
  'Can you hear me? I had a bad day.', 'Tell me a joke about the weather.', '你听得到吗？我很难过。', '讲个笑话吧，外面下雨了。',
  'The children walk to the old bridge by the river.', 'Switch off the heater in the office now.', '他们去公园旁边的学校。', '把办公室的暖气关上，好吗？',
  'I live in a small village near the mountains.', 'What can you do for me?', '我的房子在山上的小村子里。', '你能帮我做什么？',
] // prettier-ignore
