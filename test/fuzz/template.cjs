// Fuzzes a chat template, as it may be in a model file, which is rendered for a short conversation.

const { parseTemplate, renderTemplate } = require('../../dist/lib/text/chat.js')
const { expectOurs } = require('./expected.cjs')

exports.fuzz = data => {
  try {
    renderTemplate(parseTemplate(data.toString('utf8')), {
      messages: [
        { role: 'system', content: 'Be brief.' },
        { role: 'user', content: 'Hello' },
        { role: 'assistant', content: 'Hi.' },
        { role: 'user', content: '你好' },
      ],
      add_generation_prompt: true,
      enable_thinking: false,
      bos_token: '<s>',
      eos_token: '</s>',
    })
  } catch (error) {
    expectOurs(error)
  }
}
