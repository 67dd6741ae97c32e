// Vercel's AI SDK against the server at process.argv[2]: text, stream, tools and objects, over both
// APIs. Run by `make server-clients`.
import assert from 'node:assert/strict'
import { createOpenAI } from '@ai-sdk/openai'
import { generateText, stepCountIs, streamText, tool } from 'ai'
import { z } from 'zod'

const openai = createOpenAI({ baseURL: `${process.argv[2]}/v1`, apiKey: 'acme' })

for (const model of [openai.chat('assistant'), openai.responses('assistant')]) {
  const whole = await generateText({ model, prompt: 'What is 6 * 7?' })
  assert.match(whole.text, /42/)
  assert.equal(whole.finishReason, 'stop')
  assert(whole.usage.totalTokens > 0)

  const stream = streamText({ model, prompt: 'What is 6 * 7?' })
  let text = ''
  for await (const piece of stream.textStream) text += piece
  assert.match(text, /42/)
  assert((await stream.usage).totalTokens > 0)

  let ran = 0
  const locate = tool({
    description: 'Says where the user is.',
    inputSchema: z.object({}),
    execute: async () => { ran += 1; return 'Rome' },
  })
  const answered = await generateText({
    model, prompt: 'Call locate.', tools: { locate }, stopWhen: stepCountIs(4),
  })
  assert.equal(ran, 1)
  assert.match(answered.text, /Rome/)

  // What was said before comes again, over Responses as references to its items.
  const more = await generateText({
    model,
    messages: [
      { role: 'user', content: 'Call locate.' },
      ...answered.response.messages,
      { role: 'user', content: 'What is 6 * 7?' },
    ],
    tools: { locate },
  })
  assert.match(more.text, /42/)

  await assert.rejects(
    generateText({ model: openai.chat('nobody'), prompt: 'Hi', maxRetries: 0 }), /no model/)
  console.log(`ai: ${model.provider} ok`)
}
